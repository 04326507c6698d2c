/* The xpulp conversions of all types: four channels at a time, read before anything is stored. */
#ifndef TMC_XPULP_CONVERT_H
#define TMC_XPULP_CONVERT_H

#include "tmc_kernels.h"
#include "tmc_xpulp_codes.h"

static inline void tmc_convert_fast(const tmc_convert_args *args, uint32_t x_bytes, uint32_t y_bytes)
{
    const tmc_share share = tmc_my_share(args->rows);
    const int32_t multiplier = args->multiplier, bias = args->bias;
    const uint32_t channels = args->channels, shift = args->shift;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        uint8_t *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t fours = channels / 4u; fours != 0u; --fours, x += 4u * x_bytes, y += 4u * y_bytes) {
            const int32_t x0 = tmc_code(x, 0, x_bytes), x1 = tmc_code(x, 1, x_bytes);
            const int32_t x2 = tmc_code(x, 2, x_bytes), x3 = tmc_code(x, 3, x_bytes);
            tmc_store_clipped(y, 0, y_bytes, tmc_mac(bias, x0, multiplier) >> shift);
            tmc_store_clipped(y, 1, y_bytes, tmc_mac(bias, x1, multiplier) >> shift);
            tmc_store_clipped(y, 2, y_bytes, tmc_mac(bias, x2, multiplier) >> shift);
            tmc_store_clipped(y, 3, y_bytes, tmc_mac(bias, x3, multiplier) >> shift);
        }
        for (uint32_t i = 0; i < channels % 4u; ++i)
            tmc_store_clipped(y, i, y_bytes, tmc_mac(bias, tmc_code(x, i, x_bytes), multiplier) >> shift);
    }
}

#endif
