#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_linear_s8s8s32_scalar(const tmc_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t r = 0; r < args->rows; ++r) {
        const int8_t *x = (const int8_t *)args->x + r * args->x_pitch;
        int32_t *y = (int32_t *)(void *)((uint8_t *)args->y + r * args->y_pitch);
        for (uint32_t n = share.begin; n < share.end; ++n) {
            const int8_t *weight = args->weight + n * args->weight_pitch;
            y[n] = tmc_requantised_s8s8(x, weight, args->depth, args->shift);
        }
    }
}
