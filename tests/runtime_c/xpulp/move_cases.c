/* The kernels that move elements, xpulp against scalar: rows of any width, from any byte that steps allow. */
#include "cases.h"
#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

/** Return the pitch of rows: a multiple of the step, at random more than needed. */
static uint32_t pitch_of(uint32_t row_bytes, uint32_t step)
{
    return (row_bytes + step - 1u) / step * step + step * case_number(4);
}

/** Return where an operand begins: at a multiple of the step. */
static uint32_t start_of(uint32_t step)
{
    return step * case_number(4u / step);
}

static void copy_case(uint32_t rows, uint32_t row_bytes, uint32_t step)
{
    case_begin("tmc_copy_rows_s8s8", rows, row_bytes, step);
    tmc_copy_rows_args args = {
        .x_pitch = pitch_of(row_bytes, step), .y_pitch = pitch_of(row_bytes, step), .rows = rows,
        .row_bytes = row_bytes, .step_bytes = step,
    };
    const uint32_t x_start = start_of(step), y_start = start_of(step);
    args.x = (const int8_t *)case_random(x_start + rows * args.x_pitch) + x_start;
    int8_t *expected = case_take(y_start + rows * args.y_pitch), *result = case_take(y_start + rows * args.y_pitch);
    args.y = expected + y_start;
    tmc_copy_rows_s8s8_scalar(&args);
    args.y = result + y_start;
    tmc_copy_rows_s8s8_xpulp(&args);
    case_compare(expected + y_start, result + y_start, rows, row_bytes, args.y_pitch);
}

static void gather_case(uint32_t rows, uint32_t row_bytes, uint32_t step, uint32_t x_rows)
{
    case_begin("tmc_gather_rows_s8s8", rows, row_bytes, x_rows);
    tmc_gather_rows_args args = {
        .x_pitch = pitch_of(row_bytes, step), .y_pitch = pitch_of(row_bytes, step), .x_rows = x_rows, .rows = rows,
        .row_bytes = row_bytes, .step_bytes = step, .first = case_number(60000),
    };
    const uint32_t x_start = start_of(step), y_start = start_of(step);
    args.x = (const int8_t *)case_random(x_start + x_rows * args.x_pitch) + x_start;
    uint16_t *table = (uint16_t *)case_random_halves(rows + 1u) + case_number(2);
    for (uint32_t r = tmc_core_id(); r < rows; r += TMC_CORES)
        table[r] = (uint16_t)(args.first + table[r] % x_rows);
    tmc_barrier();
    args.table = table;
    int8_t *expected = case_take(y_start + rows * args.y_pitch), *result = case_take(y_start + rows * args.y_pitch);
    args.y = expected + y_start;
    tmc_gather_rows_s8s8_scalar(&args);
    args.y = result + y_start;
    tmc_gather_rows_s8s8_xpulp(&args);
    case_compare(expected + y_start, result + y_start, rows, row_bytes, args.y_pitch);
}

static void columns_case(uint32_t rows, uint32_t x_channels, uint32_t channels, uint32_t bytes)
{
    case_begin("tmc_gather_columns", rows, channels, bytes);
    tmc_gather_columns_args args = {
        .x_pitch = pitch_of(bytes * x_channels, bytes), .y_pitch = pitch_of(bytes * channels, bytes), .rows = rows,
        .x_channels = x_channels, .channels = channels,
    };
    args.x = case_random(rows * args.x_pitch);
    uint16_t *table = (uint16_t *)case_random_halves(channels);
    for (uint32_t c = tmc_core_id(); c < channels; c += TMC_CORES)
        table[c] = (uint16_t)(table[c] % x_channels);
    tmc_barrier();
    args.table = table;
    void *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    if (bytes == 1u)
        tmc_gather_columns_s8s8_scalar(&args);
    else if (bytes == 2u)
        tmc_gather_columns_s16s16_scalar(&args);
    else
        tmc_gather_columns_s32s32_scalar(&args);
    args.y = result;
    if (bytes == 1u)
        tmc_gather_columns_s8s8_xpulp(&args);
    else if (bytes == 2u)
        tmc_gather_columns_s16s16_xpulp(&args);
    else
        tmc_gather_columns_s32s32_xpulp(&args);
    case_compare(expected, result, rows, bytes * channels, args.y_pitch);
}

static void transpose_case(uint32_t rows, uint32_t channels, uint32_t bytes)
{
    case_begin("tmc_transpose", rows, channels, bytes);
    tmc_transpose_args args = {
        .x_pitch = pitch_of(bytes * channels, bytes), .y_pitch = pitch_of(bytes * rows, bytes), .rows = rows,
        .channels = channels,
    };
    args.x = case_random(rows * args.x_pitch);
    void *expected = case_take(channels * args.y_pitch), *result = case_take(channels * args.y_pitch);
    args.y = expected;
    if (bytes == 1u)
        tmc_transpose_s8s8_scalar(&args);
    else if (bytes == 2u)
        tmc_transpose_s16s16_scalar(&args);
    else
        tmc_transpose_s32s32_scalar(&args);
    args.y = result;
    if (bytes == 1u)
        tmc_transpose_s8s8_xpulp(&args);
    else if (bytes == 2u)
        tmc_transpose_s16s16_xpulp(&args);
    else
        tmc_transpose_s32s32_xpulp(&args);
    case_compare(expected, result, channels, bytes * rows, args.y_pitch);
}

void all_cases(void)
{
    static const uint32_t rows[] = {1, 2, 7, 8, 9, 40};
    static const uint32_t widths[] = {1, 2, 3, 4, 5, 15, 16, 17, 33, 64, 127, 192};
    for (uint32_t r = 0; r < sizeof rows / sizeof rows[0]; ++r)
        for (uint32_t w = 0; w < sizeof widths / sizeof widths[0]; ++w)
            for (uint32_t step = 1; step <= 4u; step *= 2u) {
                copy_case(rows[r], widths[w], step);
                gather_case(rows[r], widths[w], step, 1u + 3u * r + w);
                columns_case(rows[r], 1u + 7u * w, widths[w], step);
                transpose_case(rows[r], widths[w], step);
            }
}
