/* The column of the largest of each row: an element a round, a load, a comparison and the loop's. */
#ifndef TMC_XPULP_ARGMAX_COLUMNS_H
#define TMC_XPULP_ARGMAX_COLUMNS_H

#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/** Return the element at *address, and step over it. */
typedef int32_t tmc_next_element(const uint8_t **address);

/** Compute the calling core's rows. */
static inline void tmc_argmax_columns(const tmc_argmax_columns_args *args, tmc_next_element *next)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        void *to = (uint8_t *)args->y + r * args->y_pitch;
        int32_t largest = next(&x);
        uint32_t left = args->x_channels, left_at_largest = left;
        while (--left != 0u) {
            const int32_t value = next(&x);
            if (value > largest) {
                largest = value;
                left_at_largest = left;
            }
        }
        *(int32_t *)to = (int32_t)(args->x_channels - left_at_largest);
    }
}

#endif
