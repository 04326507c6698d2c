#include "tmc_xpulp_convert.h"

void tmc_convert_s16s16_xpulp(const tmc_convert_args *args)
{
    tmc_convert_fast(args, 2, 2);
}
