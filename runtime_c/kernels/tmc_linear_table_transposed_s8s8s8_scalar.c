#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_linear_table_transposed_s8s8s8_scalar(const tmc_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t n = share.begin; n < share.end; ++n) {
        const int8_t *weight = args->weight + n * args->weight_pitch;
        int8_t *y = (int8_t *)args->y + n * args->y_pitch;
        for (uint32_t r = 0; r < args->rows; ++r) {
            const int8_t *x = (const int8_t *)args->x + r * args->x_pitch;
            y[r] = args->table[tmc_clip8(tmc_requantised_s8s8(x, weight, args->depth, args->shift)) + 128];
        }
    }
}
