#include "tmc_xpulp_add.h"

void tmc_add_s16s16s16_xpulp(const tmc_add_args *args)
{
    tmc_add_fast(args, 2, 2, 2);
}
