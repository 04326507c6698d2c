#include "tmc_head_byte.h"

void tmc_linear_table_s8s8s8_scalar(const tmc_linear_args *args)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    for (uint32_t r = part.rows.begin; r < part.rows.end; ++r) {
        const int8_t *x = (const int8_t *)args->x + r * args->x_pitch;
        for (uint32_t n = part.channels.begin; n < part.channels.end; ++n) {
            const int8_t *weight = args->weight + n * args->weight_pitch;
            const int32_t value = tmc_requantised_s8s8(x, weight, args->depth, args->shift);
            *tmc_head_byte(args, r, n) = args->table[tmc_clip8(value) + 128];
        }
    }
}
