#include "tmc_ne16_kernels.h"
#include "tmc_softmax_row.h"

void tmc_attention_softmax_s32u8_scalar(const tmc_attention_softmax_wide_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int32_t *scores = args->scores + r * (args->scores_pitch / 4u);
        uint8_t *p = args->p + r * args->p_pitch;
        int32_t highest = scores[0];
        for (uint32_t j = 1; j < args->keys; ++j)
            highest = scores[j] > highest ? scores[j] : highest;
        uint32_t total = 0;
        for (uint32_t j = 0; j < args->keys; ++j) {
            const int32_t distance = highest - scores[j];
            const uint8_t weight = args->exp_table[TMC_LAST_ENTRY - (distance < TMC_LAST_ENTRY ? distance : TMC_LAST_ENTRY)];
            p[j] = weight;
            total += weight;
        }
        args->norm[r] = tmc_norm_of(total, args->out_multiplier);
    }
}
