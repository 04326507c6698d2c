#include "tmc_softmax_row.h"

void tmc_attention_softmax_bias_s16s16u8_scalar(const tmc_attention_softmax_bias_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        uint8_t *row = (uint8_t *)args->scores + r * args->scores_pitch;
        const void *line = (const uint8_t *)args->bias + (args->bias_rows > 1u ? r * args->bias_pitch : 0u);
        int16_t *scores = (int16_t *)(void *)row;
        for (uint32_t j = 0; j < args->keys; ++j)
            scores[j] = (int16_t)(scores[j] + ((const int16_t *)line)[j]);
        args->norm[r] = tmc_softmax_row(row, args->exp_table, args->keys, args->out_multiplier);
    }
}
