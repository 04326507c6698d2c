/* The scalar products of computed matrices, for both types of result. */
#ifndef TMC_MATMUL_H
#define TMC_MATMUL_H

#include "tmc_codes.h"
#include "tmc_kernels.h"

/** Return a sum of products, requantised. */
static inline int32_t tmc_matmul_result(const tmc_matmul_args *args, int32_t sum)
{
    return (tmc_round_shift(sum, args->narrowing) * args->multiplier + args->bias) >> args->shift;
}

/** Compute the calling core's results: rows of x, or of z where these are more. */
static inline void tmc_matmul(const tmc_matmul_args *args, uint32_t y_bytes)
{
    const tmc_share all_rows = {0, args->rows}, all_columns = {0, args->z_rows};
    const uint32_t by_rows = args->rows >= args->z_rows;
    const tmc_share rows = by_rows ? tmc_my_share(args->rows) : all_rows;
    const tmc_share columns = by_rows ? all_columns : tmc_my_share(args->z_rows);
    for (uint32_t r = rows.begin; r < rows.end; ++r) {
        const int8_t *x = args->x + r * args->x_pitch;
        void *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t c = columns.begin; c < columns.end; ++c) {
            const int8_t *z = args->z + c * args->z_pitch;
            int32_t sum = 0;
            for (uint32_t k = 0; k < args->depth; ++k)
                sum += (x[k] - args->x_zero_point) * (z[k] - args->z_zero_point);
            tmc_store_code(y, c, y_bytes, tmc_matmul_result(args, sum));
        }
    }
}

#endif
