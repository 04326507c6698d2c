#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_linear_add_s8s8s16_scalar(const tmc_linear_args *args)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    for (uint32_t r = part.rows.begin; r < part.rows.end; ++r) {
        const int8_t *x = (const int8_t *)args->x + r * args->x_pitch;
        int16_t *y = (int16_t *)(void *)((uint8_t *)args->y + r * args->y_pitch);
        for (uint32_t n = part.channels.begin; n < part.channels.end; ++n) {
            const int8_t *weight = args->weight + n * args->weight_pitch;
            const int32_t value = tmc_requantised_s8s8(x, weight, args->depth, args->shift);
            /* 17 bits are enough to saturate, whatever the residual; more could overflow the sum. */
            y[n] = tmc_clip16(y[n] + tmc_clip(value, -65536, 65535));
        }
    }
}
