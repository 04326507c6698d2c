#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_max_rows_s32s32_scalar(const tmc_max_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t g = 0; g * args->group_rows < args->rows; ++g) {
        const uint8_t *x = (const uint8_t *)args->x + g * args->group_rows * args->x_pitch;
        void *to = (uint8_t *)args->y + g * args->y_pitch;
        int32_t *y = (int32_t *)to;
        for (uint32_t c = share.begin; c < share.end; ++c) {
            for (uint32_t r = 0; r < args->group_rows; ++r) {
                const void *line = x + r * args->x_pitch;
                const int32_t value = ((const int32_t *)line)[c];
                y[c] = r == 0u || value > y[c] ? value : y[c];
            }
        }
    }
}
