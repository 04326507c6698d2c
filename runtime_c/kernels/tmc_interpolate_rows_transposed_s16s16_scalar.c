#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_interpolate_rows_transposed_s16s16_scalar(const tmc_interpolate_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t t = share.begin; t < share.end; ++t) {
        const uint32_t before = (uint32_t)args->table[2u * t];
        const int32_t weight = args->table[2u * t + 1u];
        const void *a_row = (const uint8_t *)args->x + before * args->x_pitch;
        const void *b_row = (const uint8_t *)a_row + args->x_pitch;
        const int16_t *a = (const int16_t *)a_row, *b = (const int16_t *)b_row;
        for (uint32_t c = 0; c < args->channels; ++c) {
            void *y_row = (uint8_t *)args->y + c * args->y_pitch;
            ((int16_t *)y_row)[t] = (int16_t)tmc_round_shift(a[c] * (16384 - weight) + b[c] * weight, 14u);
        }
    }
}
