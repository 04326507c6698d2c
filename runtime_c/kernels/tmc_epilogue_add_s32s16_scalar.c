#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_epilogue_add_s32s16_scalar(const tmc_epilogue_args *args)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    for (uint32_t r = part.rows.begin; r < part.rows.end; ++r) {
        const void *from = (const uint8_t *)args->x + r * args->x_pitch;
        void *to = (uint8_t *)args->y + r * args->y_pitch;
        const int32_t *x = (const int32_t *)from;
        int16_t *y = (int16_t *)to;
        /* 17 bits are enough to saturate, whatever the residual; more could overflow the sum. */
        for (uint32_t c = part.channels.begin; c < part.channels.end; ++c)
            y[c] = tmc_clip16(y[c] + tmc_clip(x[c], -65536, 65535));
    }
}
