/* A rotation to results of 8 bits, in portable C. */
#ifndef TMC_ROPE_BYTES_H
#define TMC_ROPE_BYTES_H

#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

/** Rotate the calling core's rows. more: added to each code. */
static inline void tmc_rope_bytes(const tmc_rope_args *args, int32_t more)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint32_t line = (args->row0 + r) % args->period;
        const void *x_row = (const uint8_t *)args->x + r * args->x_pitch;
        const void *table_row = (const uint8_t *)args->table + line * args->table_pitch;
        const int16_t *x = (const int16_t *)x_row;
        const int16_t *table = (const int16_t *)table_row;
        uint8_t *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t i = 0; i < args->width; i += 2) {
            const int32_t a = x[i], b = x[i + 1];
            const int32_t cosine = table[i], sine = table[i + 1];
            y[i] = (uint8_t)(tmc_clip8(tmc_round_shift(a * cosine - b * sine, args->shift)) + more);
            y[i + 1] = (uint8_t)(tmc_clip8(tmc_round_shift(a * sine + b * cosine, args->shift)) + more);
        }
    }
}

#endif
