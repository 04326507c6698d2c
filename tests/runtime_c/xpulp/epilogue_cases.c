/* The kernels that finish tiles of NE16's results, xpulp against scalar. */
#include <stdbool.h>

#include "cases.h"
#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

static uint32_t any_split(void)
{
    return case_number(tmc_bit_length(TMC_CORES));
}

/** in_place: the result takes the place of x. */
static void table_case(uint32_t rows, uint32_t channels, bool in_place)
{
    case_begin("tmc_epilogue_table_s8s8", rows, channels, in_place);
    tmc_epilogue_args args = {
        .x_pitch = case_pitch(channels), .rows = rows, .channels = channels, .split = any_split(),
    };
    args.y_pitch = in_place ? args.x_pitch : case_pitch(channels);
    const uint32_t bytes = (rows - 1u) * args.x_pitch + channels;
    const int8_t *x = case_random(rows * args.x_pitch);
    args.table = case_random(256);
    int8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.x = x, args.y = expected;
    tmc_epilogue_table_s8s8_scalar(&args);
    if (in_place) {
        for (uint32_t i = tmc_core_id(); i < bytes; i += TMC_CORES)
            if (i % args.x_pitch < channels)
                result[i] = x[i];
        args.x = result;
        tmc_barrier();
    }
    args.y = result;
    tmc_epilogue_table_s8s8_xpulp(&args);
    case_compare(expected, result, rows, channels, args.y_pitch);
}

/** Return sums: some at the ends of int32, some small, most near the ends of int16. */
static const int32_t *random_sums(uint32_t words)
{
    int32_t *x = case_random(4u * words);
    for (uint32_t i = tmc_core_id(); i < words; i += TMC_CORES)
        x[i] = i % 7u == 0u ? INT32_MAX : i % 11u == 0u ? INT32_MIN : x[i] >> i % 24u;
    tmc_barrier();
    return x;
}

/** residual: x is added to what y holds. */
static void sums_case(uint32_t rows, uint32_t channels, bool residual)
{
    case_begin(residual ? "tmc_epilogue_add_s32s16" : "tmc_epilogue_s32s16", rows, channels, residual);
    tmc_epilogue_args args = {
        .x_pitch = case_pitch(4u * channels), .y_pitch = case_pitch(2u * channels), .rows = rows, .channels = channels,
        .split = any_split(),
    };
    args.x = random_sums(rows * args.x_pitch / 4u);
    const uint32_t halves = rows * args.y_pitch / 2u;
    const int16_t *before = case_random_halves(halves);
    int16_t *expected = case_take(2u * halves), *result = case_take(2u * halves);
    for (uint32_t i = tmc_core_id(); residual && i < halves; i += TMC_CORES)
        if (i % (args.y_pitch / 2u) < channels)
            expected[i] = result[i] = before[i];
    tmc_barrier();
    args.y = expected;
    (residual ? tmc_epilogue_add_s32s16_scalar : tmc_epilogue_s32s16_scalar)(&args);
    args.y = result;
    (residual ? tmc_epilogue_add_s32s16_xpulp : tmc_epilogue_s32s16_xpulp)(&args);
    case_compare(expected, result, rows, 2u * channels, args.y_pitch);
}

static void turned_case(uint32_t rows, uint32_t channels)
{
    case_begin("tmc_epilogue_transposed_s8s8", rows, channels, 0);
    tmc_epilogue_args args = {
        .x_pitch = case_pitch(channels), .y_pitch = case_pitch(rows), .rows = rows, .channels = channels,
    };
    args.x = case_random(rows * args.x_pitch);
    int8_t *expected = case_take(channels * args.y_pitch), *result = case_take(channels * args.y_pitch);
    args.y = expected;
    tmc_epilogue_transposed_s8s8_scalar(&args);
    args.y = result;
    tmc_epilogue_transposed_s8s8_xpulp(&args);
    case_compare(expected, result, channels, rows, args.y_pitch);
}

void all_cases(void)
{
    static const uint32_t rows[] = {1, 2, 3, 8, 9, 17, 40};
    static const uint32_t columns[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 23, 32, 33, 96};
    for (uint32_t r = 0; r < sizeof rows / sizeof *rows; ++r)
        for (uint32_t c = 0; c < sizeof columns / sizeof *columns; ++c)
            for (uint32_t round = 0; round < 2u; ++round) {
                table_case(rows[r], columns[c], round != 0u);
                sums_case(rows[r], columns[c], round != 0u);
                turned_case(rows[r], columns[c]);
            }
}
