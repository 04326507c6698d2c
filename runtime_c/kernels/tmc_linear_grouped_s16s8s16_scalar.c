#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_linear_grouped_s16s8s16_scalar(const tmc_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int16_t *x = (const int16_t *)(const void *)((const uint8_t *)args->x + r * args->x_pitch);
        const int32_t *bias = args->bias + (args->row0 + r) / args->group_rows * args->bias_channels;
        int16_t *y = (int16_t *)(void *)((uint8_t *)args->y + r * args->y_pitch);
        for (uint32_t n = 0; n < args->channels; ++n) {
            const int8_t *weight = args->weight + n * args->weight_pitch;
            y[n] = tmc_clip16(tmc_requantised_s16s8(x, weight, args->depth, bias[n], args->shift));
        }
    }
}
