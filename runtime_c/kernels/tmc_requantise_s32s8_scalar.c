#include "tmc_arithmetic.h"
#include "tmc_requantise.h"

void tmc_requantise_s32s8_scalar(const tmc_requantise_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t row = share.begin; row < share.end; ++row) {
        const void *x_row = (const uint8_t *)args->x + row * args->x_pitch;
        const int32_t *x = (const int32_t *)x_row;
        int8_t *y = args->y + row * args->y_pitch;
        for (uint32_t c = 0; c < args->channels; ++c) {
            const int32_t v = tmc_requantise(x[c], &args->factors[c], args->ties_to_even);
            y[c] = args->table[tmc_clip8(v + args->zero_point) + 128];
        }
    }
}
