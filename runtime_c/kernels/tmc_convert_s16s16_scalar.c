#include "tmc_convert.h"

void tmc_convert_s16s16_scalar(const tmc_convert_args *args)
{
    tmc_convert(args, 2, 2);
}
