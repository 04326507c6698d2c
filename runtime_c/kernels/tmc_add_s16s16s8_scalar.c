#include "tmc_add.h"

void tmc_add_s16s16s8_scalar(const tmc_add_args *args)
{
    tmc_add(args, 2, 2, 1);
}
