#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_epilogue_transposed_s8s8_scalar(const tmc_epilogue_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    const int8_t *x = args->x;
    int8_t *y = args->y;
    for (uint32_t c = share.begin; c < share.end; ++c)
        for (uint32_t r = 0; r < args->rows; ++r)
            y[c * args->y_pitch + r] = x[r * args->x_pitch + c];
}
