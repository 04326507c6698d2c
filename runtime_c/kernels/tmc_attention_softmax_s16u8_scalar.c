#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

enum { LAST_ENTRY = 1023 };

/** Return the division by `total` as a shift and a factor: total has n >= 8 bits. */
static tmc_attention_norm norm_of(uint32_t total, uint32_t out_multiplier)
{
    const uint32_t n = tmc_bit_length(total);
    const uint32_t aligned =
        n > 16u ? (uint32_t)tmc_round_shift((int32_t)total, n - 16u) : total << (16u - n);
    const uint32_t reciprocal = ((1u << 30) + (aligned >> 1)) / aligned;
    const int32_t product = (int32_t)(reciprocal * out_multiplier);
    const tmc_attention_norm norm = {(int32_t)n - 8, tmc_round_shift(product, 15)};
    return norm;
}

void tmc_attention_softmax_s16u8_scalar(const tmc_attention_softmax_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        uint8_t *p = (uint8_t *)args->scores + r * args->scores_pitch;
        const int16_t *scores = (const int16_t *)(const void *)p;
        int32_t highest = INT16_MIN;
        for (uint32_t j = 0; j < args->keys; ++j)
            highest = scores[j] > highest ? scores[j] : highest;
        uint32_t total = 0;
        for (uint32_t j = 0; j < args->keys; ++j) {
            const int32_t distance = highest - scores[j];
            const uint8_t weight = args->exp_table[distance < LAST_ENTRY ? distance : LAST_ENTRY];
            /* Byte j lies in score j / 2, which has been read. */
            p[j] = weight;
            total += weight;
        }
        args->norm[r] = norm_of(total, args->out_multiplier);
    }
}
