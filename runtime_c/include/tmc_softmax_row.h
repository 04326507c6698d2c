/* The softmax of a row of scores without its division, in portable C. */
#ifndef TMC_SOFTMAX_ROW_H
#define TMC_SOFTMAX_ROW_H

#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

enum { TMC_LAST_ENTRY = 1023 };

/** Return the division by `total` as a shift and a factor: total has n >= 8 bits. */
static inline tmc_attention_norm tmc_norm_of(uint32_t total, uint32_t out_multiplier)
{
    const uint32_t n = tmc_bit_length(total);
    const uint32_t aligned =
        n > 16u ? (uint32_t)tmc_round_shift((int32_t)total, n - 16u) : total << (16u - n);
    const uint32_t reciprocal = ((1u << 30) + (aligned >> 1)) / aligned;
    const int32_t product = (int32_t)(reciprocal * out_multiplier);
    const tmc_attention_norm norm = {(int32_t)n - 8, tmc_round_shift(product, 15)};
    return norm;
}

/** Replace the scores of a row by their probabilities; return the division by their sum. */
static inline tmc_attention_norm tmc_softmax_row(uint8_t *p, const uint8_t *exp_table, uint32_t keys,
                                                 uint32_t out_multiplier)
{
    const int16_t *scores = (const int16_t *)(const void *)p;
    int32_t highest = INT16_MIN;
    for (uint32_t j = 0; j < keys; ++j)
        highest = scores[j] > highest ? scores[j] : highest;
    uint32_t total = 0;
    for (uint32_t j = 0; j < keys; ++j) {
        const int32_t distance = highest - scores[j];
        const uint8_t weight = exp_table[distance < TMC_LAST_ENTRY ? distance : TMC_LAST_ENTRY];
        /* Byte j lies in score j / 2, which has been read. */
        p[j] = weight;
        total += weight;
    }
    return tmc_norm_of(total, out_multiplier);
}

#endif
