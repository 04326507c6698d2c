#include "tmc_matmul.h"

void tmc_matmul_s8s8s16_scalar(const tmc_matmul_args *args)
{
    tmc_matmul(args, 2);
}
