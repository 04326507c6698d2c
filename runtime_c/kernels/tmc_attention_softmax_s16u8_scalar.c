#include "tmc_softmax_row.h"

void tmc_attention_softmax_s16u8_scalar(const tmc_attention_softmax_args *args)
{
    const tmc_share share = tmc_my_share(args->heads * args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        uint8_t *row = (uint8_t *)args->scores + r * args->scores_pitch;
        const uint8_t *exp_table = args->exp_table + r / args->rows * 1024u;
        args->norm[r] = tmc_softmax_row(row, exp_table, args->keys, args->out_multiplier);
    }
}
