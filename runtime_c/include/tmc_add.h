/* The scalar sums of all types. */
#ifndef TMC_ADD_H
#define TMC_ADD_H

#include "tmc_codes.h"
#include "tmc_kernels.h"

static inline void tmc_add(const tmc_add_args *args, uint32_t x_bytes, uint32_t z_bytes, uint32_t y_bytes)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        const uint8_t *z = (const uint8_t *)args->z + r * args->z_pitch;
        uint8_t *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t c = 0; c < args->channels; ++c) {
            const int32_t products = tmc_code(x, c, x_bytes) * args->x_multiplier +
                                     tmc_code(z, c, z_bytes) * args->z_multiplier;
            tmc_store_code(y, c, y_bytes, (products + args->bias) >> args->shift);
        }
    }
}

#endif
