/* Uses of sessions that one network alone cannot show. sessions WHAT WEIGHTS.bin */
#include <stdio.h>
#include <string.h>

#include "tmc_platform.h"

extern const tmc_network small_network;

static tmc_session session;
static uint8_t input[4096], output[4096];

static void run_again(void *argument)
{
    (void)argument;
    if (tmc_core_id() == 0u)
        tmc_run(&session, input, output);
}

static void start_transfer(void *argument)
{
    (void)argument;
    static tmc_transfer slot;
    if (tmc_core_id() == 0u)
        tmc_dma_in(&slot, session.l1, session.l2, 1, 4, 0);
}

/** Two networks open at once run in turn and give the same result. */
static int run_two(const char *weights)
{
    static uint8_t other_output[4096];
    tmc_session other;
    if (tmc_open(&other, &small_network, weights) != TMC_OK)
        return 1;
    for (uint32_t i = 0; i < small_network.input_bytes - 4u; ++i)
        input[i] = (uint8_t)(i * 37u);
    const int status = tmc_run(&session, input, output) | tmc_run(&other, input, other_output);
    tmc_close(&other);
    return status != TMC_OK || memcmp(output, other_output, small_network.output_bytes) != 0;
}

int main(int count, char **arguments)
{
    if (count != 3 || tmc_open(&session, &small_network, arguments[2]) != TMC_OK)
        return 2;
    int status = 0;
    if (strcmp(arguments[1], "nested") == 0) {
        tmc_network nested = small_network;
        nested.entry = run_again;
        tmc_session outer;
        status = tmc_open(&outer, &nested, arguments[2]) | tmc_run(&outer, input, output);
    } else if (strcmp(arguments[1], "outside") == 0) {
        status = tmc_cluster_run(start_transfer, NULL);
    } else {
        status = run_two(arguments[2]);
    }
    tmc_close(&session);
    return status;
}
