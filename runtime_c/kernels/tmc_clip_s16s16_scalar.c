#include "tmc_arithmetic.h"
#include "tmc_clip.h"

void tmc_clip_s16s16_scalar(const tmc_clip_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const tmc_clip_row row = tmc_clip_row_of(args, r);
        const int16_t *x = (const int16_t *)(const void *)row.x;
        const int16_t *low = (const int16_t *)(const void *)row.low;
        const int16_t *high = (const int16_t *)(const void *)row.high;
        int16_t *y = (int16_t *)(void *)row.y;
        for (uint32_t c = 0; c < args->channels; ++c)
            y[c] = (int16_t)tmc_between(x[c], low[c], high[c]);
    }
}
