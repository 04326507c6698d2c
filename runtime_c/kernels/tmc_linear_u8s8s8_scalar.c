#include "tmc_ne16_linear.h"

void tmc_linear_u8s8s8_scalar(const tmc_ne16_linear_args *args)
{
    tmc_ne16_linear(args, 1);
}
