#include "tmc_xpulp_convert.h"

void tmc_convert_s8s8_xpulp(const tmc_convert_args *args)
{
    tmc_convert_fast(args, 1, 1);
}
