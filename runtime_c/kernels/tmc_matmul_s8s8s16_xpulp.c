#include "tmc_xpulp_matmul.h"

void tmc_matmul_s8s8s16_xpulp(const tmc_matmul_args *args)
{
    tmc_matmul_fast(args, 2);
}
