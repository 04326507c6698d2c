#include "tmc_xpulp_depthwise.h"

void tmc_depthwise_rows_s8s8_xpulp(const tmc_depthwise_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t c = share.begin; c < share.end; ++c) {
        const tmc_column column = tmc_depthwise_column(args, c);
        int8_t *y = args->y + c;
        for (uint32_t r = 0; r < args->rows; ++r, y += args->y_pitch)
            *y = (int8_t)tmc_clip_s8(tmc_depthwise_sum(args, &column, r));
    }
}
