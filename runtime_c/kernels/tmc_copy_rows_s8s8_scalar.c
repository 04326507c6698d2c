#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_copy_rows_s8s8_scalar(const tmc_copy_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r)
        for (uint32_t i = 0; i < args->row_bytes; ++i)
            args->y[r * args->y_pitch + i] = args->x[r * args->x_pitch + i];
}
