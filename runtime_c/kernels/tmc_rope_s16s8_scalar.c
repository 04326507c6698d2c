#include "tmc_rope_bytes.h"

void tmc_rope_s16s8_scalar(const tmc_rope_args *args)
{
    tmc_rope_bytes(args, 0);
}
