#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_transpose_s8s8_scalar(const tmc_transpose_args *args)
{
    const int8_t *x = args->x;
    int8_t *y = args->y;
    const uint32_t x_step = args->x_pitch, y_step = args->y_pitch;
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t c = share.begin; c < share.end; ++c)
        for (uint32_t r = 0; r < args->rows; ++r)
            y[c * y_step + r] = x[r * x_step + c];
}
