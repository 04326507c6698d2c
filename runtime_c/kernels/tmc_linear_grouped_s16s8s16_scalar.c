#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_linear_grouped_s16s8s16_scalar(const tmc_linear_args *args)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    for (uint32_t r = part.rows.begin; r < part.rows.end; ++r) {
        const int16_t *x = (const int16_t *)(const void *)((const uint8_t *)args->x + r * args->x_pitch);
        const int32_t *bias = args->bias + (args->row0 + r) / args->group_rows * args->bias_channels;
        int16_t *y = (int16_t *)(void *)((uint8_t *)args->y + r * args->y_pitch);
        for (uint32_t n = part.channels.begin; n < part.channels.end; ++n) {
            const int16_t *weight = (const int16_t *)(const void *)(args->weight + n * args->weight_pitch);
            const int32_t multiplier = *(const int32_t *)(const void *)(weight + ((args->depth + 1u) & ~1u));
            int32_t sum = 0;
            for (uint32_t k = 0; k < args->depth; ++k)
                sum += x[k] * weight[k];
            y[n] = tmc_clip16((sum * multiplier + bias[n]) >> args->shift);
        }
    }
}
