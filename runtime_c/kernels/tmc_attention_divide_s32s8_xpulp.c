/* 4 sums at a time, 6 instructions each. */
#include "tmc_ne16_kernels.h"
#include "tmc_xpulp.h"

static inline uint32_t mean(uint32_t sum, uint32_t narrow, int32_t factor, uint32_t shift)
{
    return (uint32_t)tmc_clip_s8(tmc_rounded(tmc_rounded((int32_t)sum, narrow) * factor, shift));
}

void tmc_attention_divide_s32s8_xpulp(const tmc_attention_divide_args *args)
{
    const tmc_share share = tmc_my_fours(args->channels);
    const uint32_t shift = (uint32_t)(7 + args->out_shift), count = share.end - share.begin;
    const uint32_t sums_gap = args->sums_pitch - 4u * count, y_gap = args->y_pitch - count;
    const uint8_t *sums = (const uint8_t *)args->sums + 4u * share.begin;
    uint8_t *y = (uint8_t *)args->y + share.begin;
    const uint8_t *norm = (const uint8_t *)args->norm;
    for (uint32_t rows = args->rows; rows != 0u; --rows, sums += sums_gap, y += y_gap) {
        const uint32_t narrow = tmc_next_word(&norm);
        const int32_t factor = (int32_t)tmc_next_word(&norm);
        for (uint32_t fours = count / 4u; fours != 0u; --fours, y += 4) {
            const uint32_t a = tmc_next_word(&sums), b = tmc_next_word(&sums);
            const uint32_t c = tmc_next_word(&sums), d = tmc_next_word(&sums);
            y[0] = (uint8_t)mean(a, narrow, factor, shift);
            y[1] = (uint8_t)mean(b, narrow, factor, shift);
            y[2] = (uint8_t)mean(c, narrow, factor, shift);
            y[3] = (uint8_t)mean(d, narrow, factor, shift);
        }
        for (uint32_t left = count % 4u; left != 0u; --left)
            *y++ = (uint8_t)mean(tmc_next_word(&sums), narrow, factor, shift);
    }
}
