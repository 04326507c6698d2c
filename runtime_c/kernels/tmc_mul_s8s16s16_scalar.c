#include "tmc_mul.h"

void tmc_mul_s8s16s16_scalar(const tmc_mul_args *args)
{
    tmc_mul(args, 1, 2, 2);
}
