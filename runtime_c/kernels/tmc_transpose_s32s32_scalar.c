#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_transpose_s32s32_scalar(const tmc_transpose_args *args)
{
    const int32_t *x = args->x;
    int32_t *y = args->y;
    const uint32_t x_step = args->x_pitch / 4u, y_step = args->y_pitch / 4u;
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t c = share.begin; c < share.end; ++c)
        for (uint32_t r = 0; r < args->rows; ++r)
            y[c * y_step + r] = x[r * x_step + c];
}
