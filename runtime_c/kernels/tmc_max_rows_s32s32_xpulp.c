#include "tmc_xpulp_max_rows.h"

static inline uint32_t larger_of(uint32_t a, uint32_t b)
{
    return (int32_t)a > (int32_t)b ? a : b;
}

void tmc_max_rows_s32s32_xpulp(const tmc_max_rows_args *args)
{
    tmc_max_rows(args, 4u, larger_of);
}
