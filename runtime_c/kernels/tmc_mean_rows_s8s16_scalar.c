#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_mean_rows_s8s16_scalar(const tmc_mean_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t g = 0; g * args->group_rows < args->rows; ++g) {
        const int8_t *x = args->x + g * args->group_rows * args->x_pitch;
        void *y_row = (uint8_t *)args->y + g * args->y_pitch;
        int16_t *y = (int16_t *)y_row;
        for (uint32_t c = share.begin; c < share.end; ++c) {
            int32_t sum = 0;
            for (uint32_t r = 0; r < args->group_rows; ++r)
                sum += x[r * args->x_pitch + c];
            y[c] = tmc_clip16((sum * args->multiplier + args->bias) >> args->shift);
        }
    }
}
