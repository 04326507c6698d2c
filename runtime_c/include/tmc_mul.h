/* The scalar products of all types. */
#ifndef TMC_MUL_H
#define TMC_MUL_H

#include "tmc_codes.h"
#include "tmc_kernels.h"

/** Return by how many bits products of codes of so many bytes are shifted: they have 16 bits and a sign then. */
static inline uint32_t tmc_narrowing(uint32_t x_bytes, uint32_t z_bytes)
{
    return x_bytes + z_bytes == 2u ? 0u : x_bytes + z_bytes == 3u ? 8u : 15u;
}

static inline void tmc_mul(const tmc_mul_args *args, uint32_t x_bytes, uint32_t z_bytes, uint32_t y_bytes)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        const uint8_t *z = (const uint8_t *)args->z + r * args->z_pitch;
        uint8_t *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t c = 0; c < args->channels; ++c) {
            const int32_t product = (tmc_code(x, c, x_bytes) - args->x_zero_point) *
                                    (tmc_code(z, c, z_bytes) - args->z_zero_point);
            const int32_t narrow = tmc_round_shift(product, tmc_narrowing(x_bytes, z_bytes));
            tmc_store_code(y, c, y_bytes, (narrow * args->multiplier + args->bias) >> args->shift);
        }
    }
}

#endif
