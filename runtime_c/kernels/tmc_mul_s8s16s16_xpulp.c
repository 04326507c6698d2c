#include "tmc_xpulp_mul.h"

void tmc_mul_s8s16s16_xpulp(const tmc_mul_args *args)
{
    tmc_mul_fast(args, 1, 2, 2);
}
