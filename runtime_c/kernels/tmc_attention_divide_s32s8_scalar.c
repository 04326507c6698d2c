#include "tmc_arithmetic.h"
#include "tmc_ne16_kernels.h"

void tmc_attention_divide_s32s8_scalar(const tmc_attention_divide_args *args)
{
    const tmc_share share = tmc_my_fours(args->channels);
    const uint32_t shift = (uint32_t)(7 + args->out_shift);
    for (uint32_t r = 0; r < args->rows; ++r) {
        const int32_t *sums = args->sums + r * (args->sums_pitch / 4u);
        const tmc_attention_norm norm = args->norm[r];
        for (uint32_t c = share.begin; c < share.end; ++c) {
            const int32_t narrowed = tmc_round_shift(sums[c], (uint32_t)norm.shift);
            args->y[r * args->y_pitch + c] = tmc_clip8(tmc_round_shift(narrowed * norm.factor, shift));
        }
    }
}
