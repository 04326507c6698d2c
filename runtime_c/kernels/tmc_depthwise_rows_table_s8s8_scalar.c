#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_depthwise_rows_table_s8s8_scalar(const tmc_depthwise_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t c = share.begin; c < share.end; ++c) {
        const int8_t *weight = args->weight + c * args->weight_pitch;
        const int32_t *constants = tmc_row_constants(weight, args->taps);
        for (uint32_t r = 0; r < args->rows; ++r) {
            int32_t sum = 0;
            for (uint32_t t = 0; t < args->taps; ++t) {
                /* A row before the first one wraps to a large number. */
                const uint32_t row = r + t - args->taps / 2u;
                sum += (row < args->rows ? args->x[row * args->x_pitch + c] : args->zero_point) * weight[t];
            }
            const int32_t y = (sum * constants[0] + constants[1]) >> args->shift;
            args->y[r * args->y_pitch + c] = args->table[tmc_clip8(y) + 128];
        }
    }
}
