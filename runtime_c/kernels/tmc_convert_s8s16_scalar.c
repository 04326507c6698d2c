#include "tmc_convert.h"

void tmc_convert_s8s16_scalar(const tmc_convert_args *args)
{
    tmc_convert(args, 1, 2);
}
