#include "tmc_ne16_run.h"

void tmc_linear_u8s8s32_ne16(const tmc_ne16_linear_args *args)
{
    tmc_ne16_start_linear(args, TMC_NE16_OUTPUT_SIGNED | TMC_NE16_OUTPUT_32_BITS);
}
