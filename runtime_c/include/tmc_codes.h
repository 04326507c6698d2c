/* Codes of int8 or int16 in memory, for the kernels that take both; `bytes`, a constant, is 1 or 2. */
#ifndef TMC_CODES_H
#define TMC_CODES_H

#include "tmc_arithmetic.h"

/** Return code i of a row. */
static inline int32_t tmc_code(const void *row, uint32_t i, uint32_t bytes)
{
    return bytes == 1u ? ((const int8_t *)row)[i] : ((const int16_t *)row)[i];
}

/** Store a, saturated, as code i of a row. */
static inline void tmc_store_code(void *row, uint32_t i, uint32_t bytes, int32_t a)
{
    if (bytes == 1u)
        ((int8_t *)row)[i] = tmc_clip8(a);
    else
        ((int16_t *)row)[i] = tmc_clip16(a);
}

#endif
