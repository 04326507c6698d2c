#include "tmc_xpulp_matmul.h"

void tmc_matmul_s8s8s8_xpulp(const tmc_matmul_args *args)
{
    tmc_matmul_fast(args, 1);
}
