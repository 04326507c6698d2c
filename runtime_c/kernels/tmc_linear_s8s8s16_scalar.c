#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_linear_s8s8s16_scalar(const tmc_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int8_t *x = (const int8_t *)args->x + r * args->x_pitch;
        int16_t *y = (int16_t *)(void *)((uint8_t *)args->y + r * args->y_pitch);
        for (uint32_t n = 0; n < args->channels; ++n) {
            const int8_t *weight = args->weight + n * args->weight_pitch;
            const int32_t value = tmc_requantised_s8s8(x, weight, args->depth, args->shift);
            y[n] = tmc_clip16(value);
        }
    }
}
