#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_attention_scores_s8s8s16_scalar(const tmc_attention_scores_args *args)
{
    const tmc_share share = tmc_my_share(args->heads * args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint32_t head = r / args->rows, shift = args->shift >> 8u * head & 255u;
        const int8_t *q = (const int8_t *)args->q + r * args->q_pitch;
        const int8_t *k = (const int8_t *)args->k + head * args->keys * args->k_pitch;
        void *row = (uint8_t *)args->scores + r * args->scores_pitch;
        int16_t *scores = (int16_t *)row + args->key0;
        for (uint32_t j = 0; j < args->keys; ++j) {
            const int32_t product = tmc_dot_s8s8(q, k + j * args->k_pitch, args->width);
            scores[j] = (int16_t)tmc_round_shift(product, shift);
        }
    }
}
