/* Runs a network on its golden input, compares the output with the golden one and prints the cycles per run.
 *
 * TMC_NETWORK names the network's descriptor. The read-only file system holds weights.bin, input.bin and
 * output.bin. Exit status 0 means that every byte of every run was right.
 */
#include <stdio.h>

#include "gap9_files.h"
#include "tmc_platform.h"

#include "pmsis.h"

#ifndef TMC_NETWORK
#error "TMC_NETWORK is the name of a network's descriptor, such as mynet_network"
#endif
#ifndef TMC_RUNS
#define TMC_RUNS 2
#endif

extern const tmc_network TMC_NETWORK;

static uint32_t count_differences(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < bytes; ++i)
        count += a[i] != b[i];
    return count;
}

/** Run on buffers in L2 and return the number of runs that went wrong. */
static int run_golden(tmc_session *session, uint8_t *input, uint8_t *output, uint8_t *golden)
{
    const tmc_network *network = session->network;
    if (gap9_read_file("input.bin", input, network->input_bytes) != TMC_OK ||
        gap9_read_file("output.bin", golden, network->output_bytes) != TMC_OK) {
        printf("error: no golden input and output of this network\n");
        return 1;
    }
    int wrong = 0;
    for (int i = 0; i < TMC_RUNS; ++i) {
        const int status = tmc_run(session, input, output);
        if (status != TMC_OK) {
            printf("error: run %d failed with status %d\n", i, status);
            return 1;
        }
        const uint32_t differences = count_differences(output, golden, network->output_bytes);
        printf("%s: run %d: %u cycles, %u of %u output bytes differ\n", network->name, i,
               (unsigned)session->cycles, (unsigned)differences, (unsigned)network->output_bytes);
        wrong += differences != 0u;
    }
    return wrong;
}

int main(void)
{
    tmc_session session;
    const tmc_network *network = &TMC_NETWORK;
    const int status = tmc_open(&session, network, "weights.bin");
    if (status != TMC_OK) {
        printf("error: %s: cannot be opened, status %d\n", network->name, status);
        pmsis_exit(1);
        return 1;
    }
    uint8_t *input = pi_l2_malloc((int)network->input_bytes);
    uint8_t *output = pi_l2_malloc((int)network->output_bytes);
    uint8_t *golden = pi_l2_malloc((int)network->output_bytes);
    int wrong = 1;
    if (input != NULL && output != NULL && golden != NULL)
        wrong = run_golden(&session, input, output, golden);
    else
        printf("error: no L2 left for input and output\n");
    if (input != NULL)
        pi_l2_free(input, (int)network->input_bytes);
    if (output != NULL)
        pi_l2_free(output, (int)network->output_bytes);
    if (golden != NULL)
        pi_l2_free(golden, (int)network->output_bytes);
    tmc_close(&session);
    printf("%s\n", wrong == 0 ? "PASS" : "FAIL");
    pmsis_exit(wrong != 0);
    return wrong != 0;
}
