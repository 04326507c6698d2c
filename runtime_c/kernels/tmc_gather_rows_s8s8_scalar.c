#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_gather_rows_s8s8_scalar(const tmc_gather_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int8_t *x = args->x + (args->table[r] - args->first) * args->x_pitch;
        for (uint32_t i = 0; i < args->row_bytes; ++i)
            args->y[r * args->y_pitch + i] = x[i];
    }
}
