#include "tmc_add.h"

void tmc_add_s8s16s8_scalar(const tmc_add_args *args)
{
    tmc_add(args, 1, 2, 1);
}
