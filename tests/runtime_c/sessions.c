/* Uses of sessions that one network alone cannot show. sessions WHAT WEIGHTS.bin */
#include <stdio.h>
#include <string.h>

#include "tmc_platform.h"

extern const tmc_network small_network;

static tmc_session session;
static uint8_t input[4096], output[4096];
static const uint8_t *const inputs[] = {input};
static uint8_t *const outputs[] = {output};

static void run_again(void *argument)
{
    (void)argument;
    if (tmc_core_id() == 0u)
        tmc_run(&session, inputs, outputs);
}

static void open_another(void *argument)
{
    (void)argument;
    tmc_session another;
    if (tmc_core_id() == 0u)
        tmc_open(&another, &small_network, "");
}

static void start_transfer(void *argument)
{
    (void)argument;
    static tmc_transfer slot;
    if (tmc_core_id() == 0u)
        tmc_dma_in(&slot, session.l1, session.l2, 1, 4, 0);
}

/** Count in output[0] the runs that find in memory what the run before left there. */
static void leave_something(void *argument)
{
    const tmc_context *context = argument;
    if (tmc_core_id() == 0u) {
        output[0] = (uint8_t)(output[0] + (context->l1[0] == 1u) + (context->l2[0] == 1u));
        context->l1[0] = context->l2[0] = 1u;
    }
}

/** Open a network with another entry and no init, and run it three times. */
static int run_instead(void (*entry)(void *), const char *weights)
{
    tmc_network network = small_network;
    network.init = NULL;
    network.entry = entry;
    tmc_session other;
    int status = tmc_open(&other, &network, weights);
    for (int i = 0; i < 3; ++i)
        status |= tmc_run(&other, inputs, outputs);
    tmc_close(&other);
    return status;
}

/** Two networks open at once run in turn and give the same result. */
static int run_two(const char *weights)
{
    static uint8_t other_output[4096];
    static uint8_t *const other_outputs[] = {other_output};
    tmc_session other;
    if (tmc_open(&other, &small_network, weights) != TMC_OK)
        return 1;
    for (uint32_t i = 0; i < small_network.inputs[0].bytes - 4u; ++i)
        input[i] = (uint8_t)(i * 37u);
    const int status = tmc_run(&session, inputs, outputs) | tmc_run(&other, inputs, other_outputs);
    tmc_close(&other);
    return status != TMC_OK || memcmp(output, other_output, small_network.outputs[0].bytes) != 0;
}

int main(int count, char **arguments)
{
    if (count != 3 || tmc_open(&session, &small_network, arguments[2]) != TMC_OK)
        return 2;
    int status = 0;
    if (strcmp(arguments[1], "nested") == 0) {
        status = run_instead(run_again, arguments[2]);
    } else if (strcmp(arguments[1], "open") == 0) {
        status = run_instead(open_another, arguments[2]);
    } else if (strcmp(arguments[1], "memory") == 0) {
        status = run_instead(leave_something, arguments[2]) | output[0];
    } else if (strcmp(arguments[1], "outside") == 0) {
        status = tmc_cluster_run(start_transfer, NULL);
    } else {
        status = run_two(arguments[2]);
    }
    tmc_close(&session);
    return status;
}
