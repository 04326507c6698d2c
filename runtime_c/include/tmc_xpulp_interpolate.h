/* Between two rows: the elements of both rows as one word, times both weights in one dot product. */
#ifndef TMC_XPULP_INTERPOLATE_H
#define TMC_XPULP_INTERPOLATE_H

#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/** Return the weights of both rows for an entry of the table. */
static inline uint32_t tmc_row_weights(uint32_t entry)
{
    const int32_t weight = (int32_t)(entry >> 16);
    return tmc_pack_halves(16384 - weight, weight);
}

/** Return the mean of the element at x and the one a pitch behind it. */
static inline int16_t tmc_between(const uint8_t *x, uint32_t pitch, uint32_t weights)
{
    const void *a = x, *b = x + pitch;
    const uint32_t pair = tmc_pack_halves(*(const int16_t *)a, *(const int16_t *)b);
    return (int16_t)tmc_rounded(tmc_sdot_s16s16(0, pair, weights), 14u);
}

#endif
