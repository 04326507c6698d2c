#include "tmc_mul.h"

void tmc_mul_s16s8s8_scalar(const tmc_mul_args *args)
{
    tmc_mul(args, 2, 1, 1);
}
