#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_attention_scores_s16s16s16_scalar(const tmc_attention_scores_args *args)
{
    const tmc_share share = tmc_my_share(args->heads * args->rows);
    const int32_t limit = (int32_t)args->limit;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint32_t head = r / args->rows, shift = args->shift >> 8u * head & 255u;
        const void *q_row = (const uint8_t *)args->q + r * args->q_pitch;
        const int16_t *q = (const int16_t *)q_row;
        void *row = (uint8_t *)args->scores + r * args->scores_pitch;
        int16_t *scores = (int16_t *)row + args->key0;
        for (uint32_t j = 0; j < args->keys; ++j) {
            const void *k_row = (const uint8_t *)args->k + (head * args->keys + j) * args->k_pitch;
            const int16_t *k = (const int16_t *)k_row;
            int32_t product = 0;
            for (uint32_t i = 0; i < args->width; ++i)
                product += q[i] * k[i];
            scores[j] = (int16_t)tmc_clip(tmc_round_shift(product, shift), -limit - 1, limit);
        }
    }
}
