#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_permute_rows_s8s8_scalar(const tmc_permute_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t run = args->rows / args->groups;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int8_t *x = args->x + r * args->x_pitch;
        int8_t *y = args->y + (r % run * args->groups + r / run) * args->y_pitch;
        for (uint32_t i = 0; i < args->row_bytes; ++i)
            y[i] = x[i];
    }
}
