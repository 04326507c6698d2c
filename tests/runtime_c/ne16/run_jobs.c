/* Starts two jobs, waits for each in turn, and compares their results with those of portable C. A line per pair:
 *
 *   pair N: W bytes wrong, waits of C and D cycles
 */
#include "bare_metal.h"
#include "registers.h"
#include "tmc_jobs.h"

#define L1_BYTES 90000u
#define UNTOUCHED 0x5Au

IN_L1 static uint8_t memory[L1_BYTES] __attribute__((aligned(16)));
static uint32_t used, state = 1u;

typedef struct {
    tmc_job_kernel *kernel, *expected;
    uint32_t result_bytes, rows, depth, channels, head_channels, y_gap_bytes;
    uint32_t over_x; /* of the second: it overwrites what the first reads */
} shape;

#define CODES tmc_linear_u8s8s8_ne16, tmc_linear_u8s8s8_scalar, 1u
#define WORDS tmc_linear_u8s8s32_ne16, tmc_linear_u8s8s32_scalar, 4u

/* The second of a pair takes much longer than the first, if the first is one job of the accelerator. */
static const shape pairs[][2] = {
    {{CODES, 9, 32, 32, 32, 0, 0}, {CODES, 27, 192, 96, 96, 0, 0}},
    {{WORDS, 9, 32, 20, 20, 8, 0}, {WORDS, 36, 320, 96, 96, 0, 0}},
    {{WORDS, 3, 20, 4, 4, 4, 0}, {CODES, 36, 100, 64, 32, 4, 0}},
    {{CODES, 10, 48, 24, 8, 4, 0}, {WORDS, 11, 52, 24, 12, 12, 0}},
    {{CODES, 1, 17, 8, 8, 0, 0}, {CODES, 2, 33, 64, 16, 0, 0}},
    {{CODES, 9, 64, 32, 32, 0, 0}, {CODES, 9, 48, 64, 64, 0, 1}},
};

static uint32_t number(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

static void *take(uint32_t bytes)
{
    void *place = &memory[used];
    used += (bytes + 3u) / 4u * 4u;
    if (used > L1_BYTES)
        bare_metal_exit(2);
    return place;
}

static void *filled(uint32_t bytes, uint32_t lowest, uint32_t highest)
{
    uint8_t *place = take(bytes);
    for (uint32_t i = 0; i < bytes; ++i)
        place[i] = (uint8_t)(lowest + number(highest - lowest + 1u));
    return place;
}

/** Operands for a shape, without a place for results. */
static tmc_ne16_linear_args operands(const shape *of)
{
    const uint32_t x_pitch = (of->depth + 3u) / 4u * 4u, packed = (of->depth + 15u) / 16u * 16u;
    const uint32_t rounded = of->channels + 31u;
    int32_t *bias = take(4u * rounded);
    for (uint32_t n = 0; n < rounded; ++n)
        bias[n] = (int32_t)number(1u << 20) - (1 << 19);
    return (tmc_ne16_linear_args){
        .x = filled(of->rows * x_pitch, 0, 255),
        .weight = filled(of->channels * packed, 0, 255),
        .multiplier = filled(rounded, 1, 255),
        .bias = bias,
        .x_pitch = x_pitch,
        .y_pitch = of->head_channels * of->result_bytes + of->y_gap_bytes,
        .rows = of->rows,
        .depth = of->depth,
        .channels = of->channels,
        .shift = 9u + number(8u),
        .head_channels = of->head_channels,
    };
}

static uint32_t bytes_of(const tmc_ne16_linear_args *args)
{
    return args->channels / args->head_channels * args->rows * args->y_pitch;
}

static uint32_t differences(const tmc_ne16_linear_args *args, const uint8_t *expected)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < bytes_of(args); ++i)
        count += ((const uint8_t *)args->y)[i] != expected[i];
    return count;
}

static uint32_t wrong, waited[2];

static void run_pair(void *argument)
{
    const shape *pair = argument;
    static tmc_job slots[2];
    tmc_ne16_linear_args args[2];
    uint8_t *expected[2];
    if (tmc_core_id() != 0u)
        return;
    used = wrong = 0;
    for (uint32_t i = 0; i < 2u; ++i) {
        args[i] = operands(&pair[i]);
        args[i].y = expected[i] = filled(bytes_of(&args[i]), UNTOUCHED, UNTOUCHED);
        pair[i].expected(&args[i]);
        args[i].y = filled(bytes_of(&args[i]), UNTOUCHED, UNTOUCHED);
    }
    if (pair[1].over_x)
        args[1].y = (uint8_t *)(uintptr_t)args[0].x;
    for (uint32_t i = 0; i < 2u; ++i)
        tmc_job_start(&slots[i], pair[i].kernel, &args[i]);
    for (uint32_t i = 0; i < 2u; ++i) {
        const uint32_t begin = cycle_count();
        tmc_job_wait(&slots[i]);
        waited[i] = cycle_count() - begin;
        wrong += differences(&args[i], expected[i]);
    }
}

int main(void)
{
    for (uint32_t i = 0; i < sizeof pairs / sizeof pairs[0]; ++i) {
        if (tmc_cluster_run(run_pair, (void *)&pairs[i][0]) != TMC_OK)
            bare_metal_exit(3);
        console_text("pair ");
        console_decimal(i);
        console_text(": ");
        console_decimal(wrong);
        console_text(" bytes wrong, waits of ");
        console_decimal(waited[0]);
        console_text(" and ");
        console_decimal(waited[1]);
        console_text(" cycles\n");
    }
    bare_metal_exit(0);
}
