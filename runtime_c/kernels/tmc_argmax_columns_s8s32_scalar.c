#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_argmax_columns_s8s32_scalar(const tmc_argmax_columns_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const void *line = (const uint8_t *)args->x + r * args->x_pitch;
        const int8_t *x = (const int8_t *)line;
        void *to = (uint8_t *)args->y + r * args->y_pitch;
        uint32_t largest = 0;
        for (uint32_t c = 1; c < args->x_channels; ++c)
            if (x[c] > x[largest])
                largest = c;
        *(int32_t *)to = (int32_t)largest;
    }
}
