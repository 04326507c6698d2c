/* Requantisation by a 64-bit product, for both isas: RV32 multiplies to 64 bits in two instructions. Shifts of 64
 * bits are written in words, since a compiler calls a library for them. */
#ifndef TMC_REQUANTISE_H
#define TMC_REQUANTISE_H

#include "tmc_kernels.h"

/** Return round((x * multiplier + addend) / 2^shift); `even` is 1 where ties go to even, 0 where they go up. */
static inline int32_t tmc_requantise(int32_t x, const tmc_factors *factors, uint32_t even)
{
    const uint64_t addend = (uint64_t)(uint32_t)factors->addend_high << 32 | factors->addend_low;
    const uint64_t t = (uint64_t)((int64_t)x * factors->multiplier) + addend;
    const uint32_t high = (uint32_t)(t >> 32), low = (uint32_t)t, shift = factors->shift;
    uint32_t v, rest;
    if (shift >= 32u) {
        v = (uint32_t)((int32_t)high >> (shift - 32u));
        rest = low | (high & ((1u << (shift - 32u)) - 1u));
    } else {
        v = high << (32u - shift) | low >> shift;
        rest = low & ((1u << shift) - 1u);
    }
    return (int32_t)(v - (rest == 0u ? v & even : 0u));
}

#endif
