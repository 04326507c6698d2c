#include "tmc_layernorm_row.h"

void tmc_layernorm_s16u8_scalar(const tmc_layernorm_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const void *from = (const uint8_t *)args->x + r * args->x_pitch;
        void *to = (uint8_t *)args->y + r * args->y_pitch;
        const int16_t *x = (const int16_t *)from;
        uint8_t *y = (uint8_t *)to;
        const tmc_layernorm_row row = tmc_survey_row(args, x);
        for (uint32_t c = 0; c < args->channels; ++c)
            y[c] = (uint8_t)(tmc_clip8(tmc_normalised(args, &row, x, c)) + 128);
    }
}
