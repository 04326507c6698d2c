/* Sessions on bare metal: one at a time. The flash holds weights.bin from its first byte. */
#include <stddef.h>

#include "bare_metal.h"

extern uint8_t l1_free_start[], l1_free_end[], l2_free_start[], l2_free_end[];

static uint32_t l2_taken;

uint8_t *take_l2(uint32_t bytes)
{
    const uint32_t first = ((uint32_t)(uintptr_t)l2_free_start + l2_taken + 15u) & ~15u;
    const uint32_t end = (uint32_t)(uintptr_t)l2_free_end;
    if (first > end || bytes > end - first)
        return NULL;
    l2_taken = first + bytes - (uint32_t)(uintptr_t)l2_free_start;
    return (uint8_t *)(uintptr_t)first;
}

/** Run an entry function of the network; inputs and outputs are NULL for init. */
static int run_entry(tmc_session *session, void (*entry)(void *), const uint8_t *const *inputs,
                     uint8_t *const *outputs)
{
    static tmc_context context;
    context = (tmc_context){session->l1, session->l2, inputs, outputs};
    const int status = tmc_cluster_run(entry, &context);
    session->cycles = cluster_cycles();
    return status;
}

int tmc_open(tmc_session *session, const tmc_network *network, const char *weights)
{
    (void)weights;
    *session = (tmc_session){.network = network};
    hyper_start();
    if (hyper_copy_flash(network->l3_bytes) != network->l3_checksum)
        return TMC_ERROR_WEIGHTS;
    session->l1 = l1_free_start;
    session->l2 = take_l2(network->l2_bytes);
    if (session->l2 == NULL || network->l1_bytes > (uint32_t)(l1_free_end - l1_free_start))
        return TMC_ERROR_MEMORY;
    return network->init == NULL ? TMC_OK : run_entry(session, network->init, NULL, NULL);
}

int tmc_run(tmc_session *session, const uint8_t *const *inputs, uint8_t *const *outputs)
{
#ifdef TMC_TRACE
    if (trace_reset(session->network) != TMC_OK)
        return TMC_ERROR_MEMORY;
#endif
    return run_entry(session, session->network->entry, inputs, outputs);
}

void tmc_close(tmc_session *session)
{
#ifdef TMC_TRACE
    trace_forget();
#endif
    l2_taken = 0;
    *session = (tmc_session){.network = NULL};
}
