/* A linear layer of codes + 128 in portable C: the oracle of the accelerator. */
#ifndef TMC_NE16_LINEAR_H
#define TMC_NE16_LINEAR_H

#include <stddef.h>

#include "tmc_arithmetic.h"
#include "tmc_ne16_kernels.h"

#define TMC_WEIGHTS_TOGETHER 16u /* of so many inputs */

/** Return a weight: its bits lie 2 bytes apart. */
static inline int32_t tmc_weight_of(const uint8_t *channel, uint32_t k)
{
    const uint8_t *byte = channel + k / TMC_WEIGHTS_TOGETHER * TMC_WEIGHTS_TOGETHER + k % TMC_WEIGHTS_TOGETHER / 8u;
    int32_t weight = -128;
    for (uint32_t bit = 0; bit < 8u; ++bit)
        weight += (byte[2u * bit] >> (k % 8u) & 1) << bit;
    return weight;
}

/** table: NULL for none. */
static inline void tmc_ne16_linear(const tmc_ne16_linear_args *args, const int8_t *table)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t channel_bytes = (args->depth + TMC_WEIGHTS_TOGETHER - 1u) / TMC_WEIGHTS_TOGETHER * TMC_WEIGHTS_TOGETHER;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = args->x + r * args->x_pitch;
        for (uint32_t n = 0; n < args->channels; ++n) {
            const uint32_t head = n / args->head_channels;
            int32_t sum = 0;
            for (uint32_t k = 0; k < args->depth; ++k)
                sum += x[k] * tmc_weight_of(args->weight + n * channel_bytes, k);
            sum = (sum * args->multiplier[n] + args->bias[n]) >> args->shift;
            int8_t *y = args->y + (head * args->rows + r) * args->y_pitch + n - head * args->head_channels;
            *y = table == NULL ? tmc_clip8(sum) : table[tmc_clip8(sum) + 128];
        }
    }
}

#endif
