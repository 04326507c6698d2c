#include "tmc_arithmetic.h"
#include "tmc_ne16_kernels.h"

#define OFFSETS 0x80808080u /* to add 128 is to turn the highest bit */

void tmc_convert_s8u8_xpulp(const tmc_offset_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint32_t *x = (const uint32_t *)(const void *)(args->x + r * args->x_pitch);
        uint32_t *y = (uint32_t *)(void *)(args->y + r * args->y_pitch);
        for (uint32_t words = args->channels / 4u; words != 0u; --words)
            *y++ = *x++ ^ OFFSETS;
        const int8_t *x_left = (const int8_t *)x;
        uint8_t *y_left = (uint8_t *)y;
        for (uint32_t left = args->channels % 4u; left != 0u; --left)
            *y_left++ = (uint8_t)(*x_left++ + 128);
    }
}
