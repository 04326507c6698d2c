/* One column of a convolution over rows. A layer has few such sums: each is multiplied tap by tap, without shuffling
 * neighbouring columns apart. */
#ifndef TMC_XPULP_DEPTHWISE_H
#define TMC_XPULP_DEPTHWISE_H

#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/** What all sums of one column share. */
typedef struct {
    const int8_t *x;
    const int8_t *weight;
    int32_t multiplier;
    int32_t bias;
} tmc_column;

static inline tmc_column tmc_depthwise_column(const tmc_depthwise_rows_args *args, uint32_t c)
{
    const int8_t *weight = args->weight + c * args->weight_pitch;
    const int32_t *constants = tmc_row_constants(weight, args->taps);
    const tmc_column column = {args->x + c, weight, constants[0], constants[1]};
    return column;
}

/** Return the requantised sum of row r, not yet saturated. */
static inline int32_t tmc_depthwise_sum(const tmc_depthwise_rows_args *args, const tmc_column *column, uint32_t r)
{
    const uint32_t taps = args->taps, half = taps / 2u;
    const uint32_t before = r < half ? half - r : 0u;
    const uint32_t behind = args->rows - r + half;
    const uint32_t end = behind < taps ? behind : taps;
    const int8_t *weight = column->weight, *x = column->x + (r + before - half) * args->x_pitch;
    int32_t sum = 0;
    uint32_t t = 0;
    for (; t < before; ++t)
        sum = tmc_mac(sum, args->zero_point, weight[t]);
    for (; t < end; ++t, x += args->x_pitch)
        sum = tmc_mac(sum, *x, weight[t]);
    for (; t < taps; ++t)
        sum = tmc_mac(sum, args->zero_point, weight[t]);
    return tmc_mac(column->bias, sum, column->multiplier) >> args->shift;
}

#endif
