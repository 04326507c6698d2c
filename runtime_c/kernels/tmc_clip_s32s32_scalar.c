#include "tmc_arithmetic.h"
#include "tmc_clip.h"

void tmc_clip_s32s32_scalar(const tmc_clip_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const tmc_clip_row row = tmc_clip_row_of(args, r);
        const int32_t *x = (const int32_t *)(const void *)row.x;
        const int32_t *low = (const int32_t *)(const void *)row.low;
        const int32_t *high = (const int32_t *)(const void *)row.high;
        int32_t *y = (int32_t *)(void *)row.y;
        for (uint32_t c = 0; c < args->channels; ++c)
            y[c] = tmc_between(x[c], low[c], high[c]);
    }
}
