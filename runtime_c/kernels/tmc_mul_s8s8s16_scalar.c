#include "tmc_mul.h"

void tmc_mul_s8s8s16_scalar(const tmc_mul_args *args)
{
    tmc_mul(args, 1, 1, 2);
}
