/* Codes of int8 or int16 in memory, for the xpulp kernels that take both; `bytes`, a constant, is 1 or 2. */
#ifndef TMC_XPULP_CODES_H
#define TMC_XPULP_CODES_H

#include "tmc_codes.h"
#include "tmc_xpulp.h"

/** Store a, saturated by one instruction, as code i of a row. */
static inline void tmc_store_clipped(void *row, uint32_t i, uint32_t bytes, int32_t a)
{
    if (bytes == 1u)
        ((int8_t *)row)[i] = (int8_t)tmc_clip_s8(a);
    else
        ((int16_t *)row)[i] = (int16_t)tmc_clip_s16(a);
}

#endif
