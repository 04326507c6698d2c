#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_linear_table_s8s8s8_scalar(const tmc_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int8_t *x = (const int8_t *)args->x + r * args->x_pitch;
        int8_t *y = (int8_t *)(void *)((uint8_t *)args->y + r * args->y_pitch);
        for (uint32_t n = 0; n < args->channels; ++n) {
            const int8_t *weight = args->weight + n * args->weight_pitch;
            const int32_t value = tmc_requantised_s8s8(x, weight, args->depth, args->shift);
            y[n] = args->table[tmc_clip8(value) + 128];
        }
    }
}
