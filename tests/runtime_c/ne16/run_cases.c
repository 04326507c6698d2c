/* Runs every case on core 0: copies its operands to L1, starts NE16, compares. With JOBS_IN_FLIGHT of 2, the job runs
 * twice, into two places, before anything is waited for. A line per case:
 *
 *   case N: cycles C, B bytes differ
 *
 * Cycles are counted from the start of the last job on: no core touches L1 then.
 */
#include "bare_metal.h"
#include "cases.h"
#include "registers.h"

#ifndef JOBS_IN_FLIGHT
#define JOBS_IN_FLIGHT 1u
#endif
#define L1_BYTES 100000u
#define GROUP_ROWS 9u
#define UNTOUCHED 0x5Au

IN_L1 static uint8_t memory[L1_BYTES] __attribute__((aligned(16)));
static uint32_t used;
static uint32_t cycles, differences;

static void *take(uint32_t bytes)
{
    void *place = &memory[used];
    used += (bytes + 3u) / 4u * 4u;
    if (used > L1_BYTES)
        bare_metal_exit(2);
    return place;
}

static const void *copied(const void *from, uint32_t bytes)
{
    uint8_t *to = take(bytes);
    for (uint32_t i = 0; i < bytes; ++i)
        to[i] = ((const uint8_t *)from)[i];
    return to;
}

static void run_case(void *argument)
{
    const ne16_case *one = argument;
    const uint32_t channels = (one->layer.channels + 31u) / 32u * 32u;
    const uint32_t behind_bytes = GROUP_ROWS * one->layer.y_pitch;
    tmc_ne16_layer layer = one->layer;
    uint8_t *results[JOBS_IN_FLIGHT];
    if (tmc_core_id() != 0u)
        return;
    used = 0;
    layer.x = copied(layer.x, one->x_bytes);
    layer.weight = copied(layer.weight, one->weight_bytes);
    layer.multiplier = copied(layer.multiplier, channels);
    layer.bias = copied(layer.bias, 4u * channels);
    for (uint32_t job = 0; job < JOBS_IN_FLIGHT; ++job) {
        results[job] = take(one->y_bytes + behind_bytes);
        for (uint32_t i = 0; i < one->y_bytes + behind_bytes; ++i)
            results[job][i] = UNTOUCHED;
    }
    for (uint32_t job = 0; job < JOBS_IN_FLIGHT; ++job) {
        layer.y = results[job];
        tmc_ne16_start(&layer);
    }
    const uint32_t begin = cycle_count();
    tmc_ne16_wait(tmc_ne16_last);
    cycles = cycle_count() - begin;
    differences = 0;
    for (uint32_t job = 0; job < JOBS_IN_FLIGHT; ++job)
        for (uint32_t i = 0; i < one->y_bytes + behind_bytes; ++i)
            differences += results[job][i] != (i < one->y_bytes ? ((const uint8_t *)one->layer.y)[i] : UNTOUCHED);
}

int main(void)
{
    for (uint32_t i = 0; i < case_count; ++i) {
        if (tmc_cluster_run(run_case, (void *)&cases[i]) != TMC_OK)
            bare_metal_exit(3);
        console_text("case ");
        console_decimal(i);
        console_text(": cycles ");
        console_decimal(cycles);
        console_text(", ");
        console_decimal(differences);
        console_text(" bytes differ\n");
    }
    bare_metal_exit(0);
}
