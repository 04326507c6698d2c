#include "tmc_add.h"

void tmc_add_s16s8s16_scalar(const tmc_add_args *args)
{
    tmc_add(args, 2, 1, 2);
}
