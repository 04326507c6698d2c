#include "tmc_kernels.h"
#include "tmc_xpulp.h"

void tmc_linear_s16s8s32_xpulp(const tmc_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    const uint32_t depth = (args->depth + 3u) & ~3u;
    for (uint32_t r = 0; r < args->rows; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        int32_t *y = (int32_t *)(void *)((uint8_t *)args->y + r * args->y_pitch);
        for (uint32_t n = share.begin; n < share.end; ++n) {
            const int8_t *weight = args->weight + n * args->weight_pitch;
            const int32_t *constants = tmc_row_constants(weight, depth);
            int32_t sum = 0;
            uint32_t k = 0;
            for (; k + 2u < args->depth; k += 4u) {
                const uint32_t word = tmc_word(weight + k);
                sum = tmc_sdot_s16s16(sum, tmc_word(x + 2u * k), tmc_widen_low(word));
                sum = tmc_sdot_s16s16(sum, tmc_word(x + 2u * k + 4u), tmc_widen_high(word));
            }
            /* The row of weights ends with a word, the row of x with half as many elements. */
            if (k < args->depth)
                sum = tmc_sdot_s16s16(sum, tmc_word(x + 2u * k), tmc_widen_low(tmc_word(weight + k)));
            y[n] = tmc_mac(constants[1], sum, constants[0]) >> args->shift;
        }
    }
}
