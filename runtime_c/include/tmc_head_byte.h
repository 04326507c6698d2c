/* Where a linear kernel of int8 results puts one of them. */
#ifndef TMC_HEAD_BYTE_H
#define TMC_HEAD_BYTE_H

#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

/** Return the result of row r and channel n: runs of head_channels channels lie one behind the other. */
static inline int8_t *tmc_head_byte(const tmc_linear_args *args, uint32_t r, uint32_t n)
{
    const uint32_t head = n / args->head_channels;
    return (int8_t *)args->y + (head * args->rows + r) * args->y_pitch + (n - head * args->head_channels);
}

#endif
