#include "tmc_mul.h"

void tmc_mul_s16s16s16_scalar(const tmc_mul_args *args)
{
    tmc_mul(args, 2, 2, 2);
}
