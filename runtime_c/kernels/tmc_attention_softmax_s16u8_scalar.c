#include "tmc_softmax_row.h"

void tmc_attention_softmax_s16u8_scalar(const tmc_attention_softmax_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        uint8_t *row = (uint8_t *)args->scores + r * args->scores_pitch;
        args->norm[r] = tmc_softmax_row(row, args->exp_table, args->keys, args->out_multiplier);
    }
}
