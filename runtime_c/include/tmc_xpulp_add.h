/* The xpulp sums of all types: four channels at a time, read before anything is stored. */
#ifndef TMC_XPULP_ADD_H
#define TMC_XPULP_ADD_H

#include "tmc_kernels.h"
#include "tmc_xpulp_codes.h"

static inline void tmc_add_fast(const tmc_add_args *args, uint32_t x_bytes, uint32_t z_bytes, uint32_t y_bytes)
{
    const tmc_share share = tmc_my_share(args->rows);
    const int32_t of_x = args->x_multiplier, of_z = args->z_multiplier, bias = args->bias;
    const uint32_t channels = args->channels, shift = args->shift;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        const uint8_t *z = (const uint8_t *)args->z + r * args->z_pitch;
        uint8_t *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t fours = channels / 4u; fours != 0u; --fours) {
            const int32_t x0 = tmc_code(x, 0, x_bytes), x1 = tmc_code(x, 1, x_bytes);
            const int32_t x2 = tmc_code(x, 2, x_bytes), x3 = tmc_code(x, 3, x_bytes);
            const int32_t z0 = tmc_code(z, 0, z_bytes), z1 = tmc_code(z, 1, z_bytes);
            const int32_t z2 = tmc_code(z, 2, z_bytes), z3 = tmc_code(z, 3, z_bytes);
            tmc_store_clipped(y, 0, y_bytes, tmc_mac(tmc_mac(bias, x0, of_x), z0, of_z) >> shift);
            tmc_store_clipped(y, 1, y_bytes, tmc_mac(tmc_mac(bias, x1, of_x), z1, of_z) >> shift);
            tmc_store_clipped(y, 2, y_bytes, tmc_mac(tmc_mac(bias, x2, of_x), z2, of_z) >> shift);
            tmc_store_clipped(y, 3, y_bytes, tmc_mac(tmc_mac(bias, x3, of_x), z3, of_z) >> shift);
            x += 4u * x_bytes, z += 4u * z_bytes, y += 4u * y_bytes;
        }
        for (uint32_t i = 0; i < channels % 4u; ++i) {
            const int32_t sum = tmc_mac(bias, tmc_code(x, i, x_bytes), of_x);
            tmc_store_clipped(y, i, y_bytes, tmc_mac(sum, tmc_code(z, i, z_bytes), of_z) >> shift);
        }
    }
}

#endif
