/* The kernels that make one element of many rows, xpulp against scalar. */
#include "cases.h"
#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

static void mean_case(uint32_t groups, uint32_t group_rows, uint32_t channels)
{
    case_begin("tmc_mean_rows_s8s16", groups, group_rows, channels);
    const uint32_t rows = groups * group_rows;
    tmc_mean_rows_args args = {
        .x_pitch = case_pitch(channels), .y_pitch = case_pitch(2u * channels), .rows = rows, .channels = channels,
        .group_rows = group_rows, .multiplier = 1 + (int32_t)case_number(32767 / (group_rows / 64u + 1u)),
        .bias = (int32_t)case_number(1u << 29) - (1 << 28), .shift = case_number(24),
    };
    args.x = case_random(rows * args.x_pitch);
    int16_t *expected = case_take(groups * args.y_pitch), *result = case_take(groups * args.y_pitch);
    args.y = expected;
    tmc_mean_rows_s8s16_scalar(&args);
    args.y = result;
    tmc_mean_rows_s8s16_xpulp(&args);
    case_compare(expected, result, groups, 2u * channels, args.y_pitch);
}

static void max_case(uint32_t groups, uint32_t group_rows, uint32_t channels, uint32_t bytes)
{
    static void (*const scalar[])(const tmc_max_rows_args *) = {
        tmc_max_rows_s8s8_scalar, tmc_max_rows_s16s16_scalar, tmc_max_rows_s32s32_scalar,
    };
    static void (*const xpulp[])(const tmc_max_rows_args *) = {
        tmc_max_rows_s8s8_xpulp, tmc_max_rows_s16s16_xpulp, tmc_max_rows_s32s32_xpulp,
    };
    static const char *const names[] = {"tmc_max_rows_s8s8", "tmc_max_rows_s16s16", "tmc_max_rows_s32s32"};
    const uint32_t rows = groups * group_rows, row_bytes = bytes * channels;
    case_begin(names[bytes / 2u], groups, group_rows, channels);
    tmc_max_rows_args args = {
        .x_pitch = case_pitch(row_bytes), .y_pitch = case_pitch(row_bytes), .rows = rows, .channels = channels,
        .group_rows = group_rows,
    };
    args.x = case_random(rows * args.x_pitch);
    uint8_t *expected = case_take(groups * args.y_pitch), *result = case_take(groups * args.y_pitch);
    args.y = expected;
    scalar[bytes / 2u](&args);
    args.y = result;
    xpulp[bytes / 2u](&args);
    case_compare(expected, result, groups, row_bytes, args.y_pitch);
}

/** few: of how many values elements are, or 0 for any. */
static void argmax_case(uint32_t rows, uint32_t channels, uint32_t bytes, uint32_t few)
{
    case_begin(bytes == 1u ? "tmc_argmax_columns_s8s32" : "tmc_argmax_columns_s16s32", rows, channels, few);
    tmc_argmax_columns_args args = {
        .x_pitch = case_pitch(bytes * channels), .y_pitch = case_pitch(4u), .rows = rows, .x_channels = channels,
    };
    uint8_t *x = case_random(rows * args.x_pitch);
    args.x = x;
    if (few != 0u) {
        tmc_barrier();
        for (uint32_t i = tmc_core_id(); i < rows * args.x_pitch; i += TMC_CORES)
            x[i] = (uint8_t)(x[i] % few - few);
        tmc_barrier();
    }
    int32_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    (bytes == 1u ? tmc_argmax_columns_s8s32_scalar : tmc_argmax_columns_s16s32_scalar)(&args);
    args.y = result;
    (bytes == 1u ? tmc_argmax_columns_s8s32_xpulp : tmc_argmax_columns_s16s32_xpulp)(&args);
    case_compare(expected, result, rows, 4u, args.y_pitch);
}

static void softmax_case(uint32_t rows, uint32_t channels, uint32_t most_shift)
{
    case_begin("tmc_softmax_s16s16", rows, channels, most_shift);
    const uint32_t limit = 1u + case_number(65535);
    tmc_softmax_args args = {
        .x_pitch = case_pitch(2u * channels), .y_pitch = case_pitch(2u * channels), .rows = rows, .channels = channels,
        .limit = (int32_t)limit, .shift = case_number(most_shift),
    };
    args.multiplier = (int32_t)case_number(0x7FF00000u / limit);
    args.x = case_random(rows * args.x_pitch);
    int16_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    tmc_softmax_s16s16_scalar(&args);
    args.y = result;
    tmc_softmax_s16s16_xpulp(&args);
    case_compare(expected, result, rows, 2u * channels, args.y_pitch);
}

void all_cases(void)
{
    static const uint32_t rows[] = {1, 2, 8, 9, 17, 40};
    static const uint32_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 23, 32, 33, 50};
    for (uint32_t r = 0; r < sizeof rows / sizeof *rows; ++r) {
        for (uint32_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
            for (uint32_t few = 0; few <= 2u; ++few) {
                argmax_case(rows[r], sizes[s], 1, few);
                argmax_case(rows[r], sizes[s], 2, few);
            }
            softmax_case(rows[r], sizes[s], 4);
            softmax_case(rows[r], sizes[s], 24);
            for (uint32_t groups = 1; groups <= 4u; ++groups) {
                mean_case(groups, rows[r], sizes[s]);
                for (uint32_t bytes = 1; bytes <= 4u; bytes *= 2u)
                    max_case(groups, rows[r], sizes[s], bytes);
            }
        }
    }
    mean_case(1, 400, 192);
    mean_case(8, 50, 192);
}
