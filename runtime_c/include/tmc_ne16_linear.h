/* A linear layer of codes + 128 in portable C: the oracle of the accelerator. */
#ifndef TMC_NE16_LINEAR_H
#define TMC_NE16_LINEAR_H

#include "tmc_arithmetic.h"
#include "tmc_ne16_kernels.h"

#define TMC_WEIGHTS_TOGETHER 16u /* of so many inputs */
#define TMC_ROWS_TOGETHER 16u    /* that share the unpacking of weights */

/** Unpack the weights of 16 inputs: their bits lie 2 bytes apart. */
static inline void tmc_unpack_weights(const uint8_t *packed, int8_t *weights)
{
    for (uint32_t k = 0; k < TMC_WEIGHTS_TOGETHER; ++k) {
        int32_t weight = -128;
        for (uint32_t bit = 0; bit < 8u; ++bit)
            weight += (packed[2u * bit + k / 8u] >> (k % 8u) & 1) << bit;
        weights[k] = (int8_t)weight;
    }
}

/** Compute the sums of a channel for some rows, at most TMC_ROWS_TOGETHER. */
static inline void tmc_ne16_sums(const tmc_ne16_linear_args *args, uint32_t row, uint32_t rows, const uint8_t *channel,
                                 int32_t *sums)
{
    const uint8_t *x = args->x + row * args->x_pitch;
    for (uint32_t r = 0; r < rows; ++r)
        sums[r] = 0;
    for (uint32_t first = 0; first < args->depth; first += TMC_WEIGHTS_TOGETHER) {
        const uint32_t left = args->depth - first, inputs = left < TMC_WEIGHTS_TOGETHER ? left : TMC_WEIGHTS_TOGETHER;
        int8_t weights[TMC_WEIGHTS_TOGETHER];
        tmc_unpack_weights(channel + first, weights);
        for (uint32_t r = 0; r < rows; ++r)
            for (uint32_t k = 0; k < inputs; ++k)
                sums[r] += x[r * args->x_pitch + first + k] * weights[k];
    }
}

/** Compute all rows of the layer, as a job does; results of 4 bytes, or of 1. */
static inline void tmc_ne16_linear(const tmc_ne16_linear_args *args, uint32_t result_bytes)
{
    const uint32_t channel_bytes = (args->depth + TMC_WEIGHTS_TOGETHER - 1u) / TMC_WEIGHTS_TOGETHER * TMC_WEIGHTS_TOGETHER;
    for (uint32_t row = 0; row < args->rows; row += TMC_ROWS_TOGETHER) {
        const uint32_t left = args->rows - row, rows = left < TMC_ROWS_TOGETHER ? left : TMC_ROWS_TOGETHER;
        for (uint32_t n = 0; n < args->channels; ++n) {
            const uint32_t head = n / args->head_channels;
            int32_t sums[TMC_ROWS_TOGETHER];
            tmc_ne16_sums(args, row, rows, args->weight + n * channel_bytes, sums);
            uint8_t *y = (uint8_t *)args->y + (head * args->rows + row) * args->y_pitch +
                         (n - head * args->head_channels) * result_bytes;
            for (uint32_t r = 0; r < rows; ++r, y += args->y_pitch) {
                const int32_t result = (sums[r] * args->multiplier[n] + args->bias[n]) >> args->shift;
                if (result_bytes == 4u)
                    *(int32_t *)(void *)y = result;
                else
                    *(int8_t *)y = (int8_t)tmc_clip8(result);
            }
        }
    }
}

#endif
