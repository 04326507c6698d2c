/* The xpulp products of all types: four channels at a time, read before anything is stored. */
#ifndef TMC_XPULP_MUL_H
#define TMC_XPULP_MUL_H

#include "tmc_mul.h"
#include "tmc_xpulp_codes.h"

/** Return the product of two codes less their zero points, of 16 bits and a sign; no sum on the way overflows. */
static inline int32_t tmc_narrow_product(int32_t x, int32_t z, uint32_t narrowing)
{
    return narrowing == 0u ? x * z : (x * z + (1 << (narrowing - 1u))) >> narrowing;
}

static inline void tmc_mul_fast(const tmc_mul_args *args, uint32_t x_bytes, uint32_t z_bytes, uint32_t y_bytes)
{
    const tmc_share share = tmc_my_share(args->rows);
    const int32_t zero_x = args->x_zero_point, zero_z = args->z_zero_point;
    const int32_t multiplier = args->multiplier, bias = args->bias;
    const uint32_t channels = args->channels, shift = args->shift, narrowing = tmc_narrowing(x_bytes, z_bytes);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        const uint8_t *z = (const uint8_t *)args->z + r * args->z_pitch;
        uint8_t *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t fours = channels / 4u; fours != 0u; --fours) {
            const int32_t x0 = tmc_code(x, 0, x_bytes) - zero_x, x1 = tmc_code(x, 1, x_bytes) - zero_x;
            const int32_t x2 = tmc_code(x, 2, x_bytes) - zero_x, x3 = tmc_code(x, 3, x_bytes) - zero_x;
            const int32_t z0 = tmc_code(z, 0, z_bytes) - zero_z, z1 = tmc_code(z, 1, z_bytes) - zero_z;
            const int32_t z2 = tmc_code(z, 2, z_bytes) - zero_z, z3 = tmc_code(z, 3, z_bytes) - zero_z;
            const int32_t p0 = tmc_narrow_product(x0, z0, narrowing), p1 = tmc_narrow_product(x1, z1, narrowing);
            const int32_t p2 = tmc_narrow_product(x2, z2, narrowing), p3 = tmc_narrow_product(x3, z3, narrowing);
            tmc_store_clipped(y, 0, y_bytes, tmc_mac(bias, p0, multiplier) >> shift);
            tmc_store_clipped(y, 1, y_bytes, tmc_mac(bias, p1, multiplier) >> shift);
            tmc_store_clipped(y, 2, y_bytes, tmc_mac(bias, p2, multiplier) >> shift);
            tmc_store_clipped(y, 3, y_bytes, tmc_mac(bias, p3, multiplier) >> shift);
            x += 4u * x_bytes, z += 4u * z_bytes, y += 4u * y_bytes;
        }
        for (uint32_t i = 0; i < channels % 4u; ++i) {
            const int32_t xi = tmc_code(x, i, x_bytes) - zero_x, zi = tmc_code(z, i, z_bytes) - zero_z;
            const int32_t product = tmc_narrow_product(xi, zi, narrowing);
            tmc_store_clipped(y, i, y_bytes, tmc_mac(bias, product, multiplier) >> shift);
        }
    }
}

#endif
