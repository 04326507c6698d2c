#include "tmc_arithmetic.h"
#include "tmc_ne16_kernels.h"

void tmc_convert_s8u8_scalar(const tmc_offset_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r)
        for (uint32_t c = 0; c < args->channels; ++c)
            args->y[r * args->y_pitch + c] = (uint8_t)(args->x[r * args->x_pitch + c] + 128);
}
