/* Four channels to a word: dot products with 1, 2^8, 2^16 and 2^24, whose bytes are one 1 and three 0, add up one
 * channel each. Two rows a round: 10 instructions and the loop's for 8 elements. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/** Add up `rows` rows, x_pitch bytes apart, of the 4 channels at x, a multiple of 4. */
static void add_four(int32_t sums[4], const uint8_t *x, uint32_t x_pitch, uint32_t rows)
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    if (rows % 2u != 0u) {
        const uint32_t word = tmc_word(x);
        s0 = tmc_byte_of(word, 0), s1 = tmc_byte_of(word, 1), s2 = tmc_byte_of(word, 2), s3 = tmc_byte_of(word, 3);
        x += x_pitch;
    }
    for (uint32_t pairs = rows / 2u; pairs != 0u; --pairs) {
        const uint32_t a = tmc_word_step(&x, x_pitch), b = tmc_word_step(&x, x_pitch);
        s0 = tmc_sdot_s8s8(s0, a, 0x00000001u);
        s1 = tmc_sdot_s8s8(s1, a, 0x00000100u);
        s2 = tmc_sdot_s8s8(s2, a, 0x00010000u);
        s3 = tmc_sdot_s8s8(s3, a, 0x01000000u);
        s0 = tmc_sdot_s8s8(s0, b, 0x00000001u);
        s1 = tmc_sdot_s8s8(s1, b, 0x00000100u);
        s2 = tmc_sdot_s8s8(s2, b, 0x00010000u);
        s3 = tmc_sdot_s8s8(s3, b, 0x01000000u);
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

void tmc_mean_rows_s8s16_xpulp(const tmc_mean_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    for (uint32_t g = 0; g * args->group_rows < args->rows; ++g) {
        const uint8_t *x = (const uint8_t *)args->x + g * args->group_rows * args->x_pitch;
        void *y_row = (uint8_t *)args->y + g * args->y_pitch;
        int16_t *y = (int16_t *)y_row;
        /* A share may begin within a word. */
        for (uint32_t word = share.begin & ~3u; word < share.end; word += 4u) {
            int32_t sums[4];
            add_four(sums, x + word, args->x_pitch, args->group_rows);
            for (uint32_t i = 0; i < 4u; ++i)
                if (word + i >= share.begin && word + i < share.end)
                    y[word + i] = (int16_t)tmc_clip_s16((sums[i] * args->multiplier + args->bias) >> args->shift);
        }
    }
}
