#include "tmc_xpulp_interpolate.h"

void tmc_interpolate_rows_transposed_s16s16_xpulp(const tmc_interpolate_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t t = share.begin; t < share.end; ++t) {
        const uint32_t entry = tmc_word(args->table + 2u * t);
        const uint32_t weights = tmc_row_weights(entry);
        const uint8_t *x = (const uint8_t *)args->x + (entry & 0xFFFFu) * args->x_pitch;
        uint8_t *y = (uint8_t *)args->y + 2u * t;
        for (uint32_t c = 0; c < args->channels; ++c, y += args->y_pitch)
            *(int16_t *)(void *)y = tmc_between(x + 2u * c, args->x_pitch, weights);
    }
}
