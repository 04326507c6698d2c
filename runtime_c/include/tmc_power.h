/* Powers of 2 with exponents of 0 and less. */
#ifndef TMC_POWER_H
#define TMC_POWER_H

#include "tmc_arithmetic.h"

/** Return 2^15 * 2^-exponent, for an exponent in steps of 2^-15, 0 or more: 0 from 16 on. */
static inline uint32_t tmc_power(uint32_t exponent)
{
    const uint32_t f = exponent & 32767u;
    return (32768u - (f * (22657u - (f * (7555u - (f * 1282u >> 15)) >> 15)) >> 15)) >> tmc_at_most_31(exponent >> 15);
}

#endif
