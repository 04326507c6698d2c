/* Copies of runs of bytes, as wide as their addresses allow. */
#ifndef TMC_XPULP_COPY_H
#define TMC_XPULP_COPY_H

#include <stdbool.h>

#include "tmc_xpulp.h"

/** Copy `bytes` bytes; both addresses are multiples of step_bytes, which is 1, 2 or 4. */
static inline void tmc_copy_bytes(const uint8_t *x, uint8_t *y, uint32_t bytes, uint32_t step_bytes)
{
    if (step_bytes == 4u) {
        for (; bytes >= 16u; bytes -= 16u, y += 16) {
            const uint32_t a = tmc_next_word(&x), b = tmc_next_word(&x);
            const uint32_t c = tmc_next_word(&x), d = tmc_next_word(&x);
            uint32_t *words = (uint32_t *)(void *)y;
            words[0] = a, words[1] = b, words[2] = c, words[3] = d;
        }
        for (; bytes >= 4u; bytes -= 4u, y += 4)
            *(uint32_t *)(void *)y = tmc_next_word(&x);
    } else if (step_bytes == 2u) {
        for (; bytes >= 4u; bytes -= 4u, x += 4, y += 4) {
            const uint16_t *from = (const uint16_t *)(const void *)x;
            const uint16_t a = from[0], b = from[1];
            uint16_t *halves = (uint16_t *)(void *)y;
            halves[0] = a, halves[1] = b;
        }
    } else {
        for (; bytes >= 4u; bytes -= 4u, x += 4, y += 4) {
            const uint8_t a = x[0], b = x[1], c = x[2], d = x[3];
            y[0] = a, y[1] = b, y[2] = c, y[3] = d;
        }
    }
    for (; bytes != 0u; --bytes)
        *y++ = *x++;
}

/** Bytes of each row that a core has of a few rows: whole words, but at the end of a row. */
static inline tmc_share tmc_my_bytes(uint32_t row_bytes)
{
    const tmc_share words = tmc_my_share((row_bytes + 3u) / 4u);
    const uint32_t begin = 4u * words.begin, end = 4u * words.end;
    const tmc_share share = {begin < row_bytes ? begin : row_bytes, end < row_bytes ? end : row_bytes};
    return share;
}

#endif
