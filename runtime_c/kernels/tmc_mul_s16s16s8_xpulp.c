#include "tmc_xpulp_mul.h"

void tmc_mul_s16s16s8_xpulp(const tmc_mul_args *args)
{
    tmc_mul_fast(args, 2, 2, 1);
}
