/* The scalar conversions of all types. */
#ifndef TMC_CONVERT_H
#define TMC_CONVERT_H

#include "tmc_codes.h"
#include "tmc_kernels.h"

static inline void tmc_convert(const tmc_convert_args *args, uint32_t x_bytes, uint32_t y_bytes)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        uint8_t *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t c = 0; c < args->channels; ++c) {
            const int32_t sum = tmc_code(x, c, x_bytes) * args->multiplier + args->bias;
            tmc_store_code(y, c, y_bytes, sum >> args->shift);
        }
    }
}

#endif
