#include "tmc_xpulp_add.h"

void tmc_add_s8s16s16_xpulp(const tmc_add_args *args)
{
    tmc_add_fast(args, 1, 2, 2);
}
