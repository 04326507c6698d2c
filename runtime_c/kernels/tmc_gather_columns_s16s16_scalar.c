#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_gather_columns_s16s16_scalar(const tmc_gather_columns_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const void *x_row = (const uint8_t *)args->x + r * args->x_pitch;
        void *y_row = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t c = 0; c < args->channels; ++c)
            ((int16_t *)y_row)[c] = ((const int16_t *)x_row)[args->table[c]];
    }
}
