#include "tmc_xpulp_add.h"

void tmc_add_s16s8s16_xpulp(const tmc_add_args *args)
{
    tmc_add_fast(args, 2, 1, 2);
}
