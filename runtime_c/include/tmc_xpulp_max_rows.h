/* The largest of runs of rows, a word of channels at a time: 4 of int8, 2 of int16, 1 of int32. */
#ifndef TMC_XPULP_MAX_ROWS_H
#define TMC_XPULP_MAX_ROWS_H

#include "tmc_kernels.h"
#include "tmc_xpulp.h"

typedef uint32_t tmc_larger(uint32_t a, uint32_t b);

/** Find the largest of the `rows` words at x, x_pitch bytes apart. Two a round: 4 instructions and the loop's. */
static inline uint32_t tmc_largest_word(const uint8_t *x, uint32_t x_pitch, uint32_t rows, tmc_larger *larger)
{
    uint32_t largest = tmc_word_step(&x, x_pitch);
    if (rows % 2u == 0u)
        largest = larger(largest, tmc_word_step(&x, x_pitch));
    for (uint32_t pairs = (rows - 1u) / 2u; pairs != 0u; --pairs) {
        const uint32_t a = tmc_word_step(&x, x_pitch), b = tmc_word_step(&x, x_pitch);
        largest = larger(larger(largest, a), b);
    }
    return largest;
}

/** Compute the calling core's words of every run of rows. What a row has beyond its last whole word is written
 *  byte by byte: the bytes behind it are not the kernel's. */
static inline void tmc_max_rows(const tmc_max_rows_args *args, uint32_t element_bytes, tmc_larger *larger)
{
    const uint32_t row_bytes = args->channels * element_bytes;
    const tmc_share share = tmc_my_share((row_bytes + 3u) / 4u);
    for (uint32_t g = 0; g * args->group_rows < args->rows; ++g) {
        const uint8_t *x = (const uint8_t *)args->x + g * args->group_rows * args->x_pitch;
        uint8_t *y = (uint8_t *)args->y + g * args->y_pitch;
        for (uint32_t word = share.begin; word < share.end; ++word) {
            const uint32_t largest = tmc_largest_word(x + 4u * word, args->x_pitch, args->group_rows, larger);
            void *to = y + 4u * word;
            if (4u * word + 4u <= row_bytes)
                *(uint32_t *)to = largest;
            else
                for (uint32_t i = 4u * word; i < row_bytes; ++i)
                    y[i] = (uint8_t)(largest >> 8u * (i % 4u));
        }
    }
}

#endif
