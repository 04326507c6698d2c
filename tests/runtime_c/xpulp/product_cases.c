/* The kernels of products of computed matrices, xpulp against scalar. */
#include "cases.h"
#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

static void matmul_case(uint32_t rows, uint32_t depth, uint32_t z_rows, uint32_t bytes)
{
    case_begin(bytes == 1u ? "tmc_matmul_s8s8s8" : "tmc_matmul_s8s8s16", rows, depth, z_rows);
    const uint32_t row_bytes = bytes * z_rows;
    tmc_matmul_args args = {
        .x_pitch = case_pitch(depth), .z_pitch = case_pitch(depth), .y_pitch = case_pitch(row_bytes), .rows = rows,
        .z_rows = z_rows, .depth = depth, .x_zero_point = (int32_t)case_number(256) - 128,
        .z_zero_point = (int32_t)case_number(256) - 128, .narrowing = case_number(8),
        .multiplier = (int32_t)case_number(8000 / depth + 2u), .bias = (int32_t)case_number(1u << 28) - (1 << 27),
        .shift = 8u + case_number(20),
    };
    args.x = case_random(rows * args.x_pitch);
    args.z = case_random(z_rows * args.z_pitch);
    uint8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    (bytes == 1u ? tmc_matmul_s8s8s8_scalar : tmc_matmul_s8s8s16_scalar)(&args);
    args.y = result;
    (bytes == 1u ? tmc_matmul_s8s8s8_xpulp : tmc_matmul_s8s8s16_xpulp)(&args);
    case_compare(expected, result, rows, row_bytes, args.y_pitch);
}

void all_cases(void)
{
    static const uint32_t rows[] = {1, 2, 3, 8, 9, 17, 40};
    static const uint32_t depths[] = {1, 2, 3, 4, 5, 8, 11, 16, 64, 99};
    static const uint32_t columns[] = {1, 3, 4, 5, 8, 13, 33};
    for (uint32_t r = 0; r < sizeof rows / sizeof *rows; ++r)
        for (uint32_t d = 0; d < sizeof depths / sizeof *depths; ++d)
            for (uint32_t c = 0; c < sizeof columns / sizeof *columns; ++c)
                for (uint32_t bytes = 1; bytes <= 2u; ++bytes)
                    matmul_case(rows[r], depths[d], columns[c], bytes);
}
