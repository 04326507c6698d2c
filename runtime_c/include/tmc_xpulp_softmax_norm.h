/* The division that a softmax leaves to what follows it, for XpulpV2. */
#ifndef TMC_XPULP_SOFTMAX_NORM_H
#define TMC_XPULP_SOFTMAX_NORM_H

#include "tmc_kernels.h"
#include "tmc_xpulp.h"

enum { TMC_LAST_ENTRY = 1023 };

/** Return the division by `total` as a shift and a factor: total has n >= 8 bits. */
static tmc_attention_norm tmc_norm_of(uint32_t total, uint32_t out_multiplier)
{
    const uint32_t n = tmc_bits(total);
    const uint32_t aligned = n > 16u ? (uint32_t)tmc_rounded((int32_t)total, n - 16u) : total << (16u - n);
    const uint32_t reciprocal = ((1u << 30) + (aligned >> 1)) / aligned;
    const tmc_attention_norm norm = {(int32_t)n - 8, tmc_rounded((int32_t)(reciprocal * out_multiplier), 15)};
    return norm;
}

#endif
