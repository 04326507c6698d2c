/* Of 16 bytes i and their bits b, each number in binary, a word, a byte in it and a bit in that are counted by
 *   word i3 i2, byte i1 i0, bit b2 b1 b0
 * and have to be by
 *   word b2 b1, byte b0 i3, bit i2 i1 i0.
 * Bytes change places at one instruction a word; a number of a word changes places with one of a bit at three, where two
 * words exchange a half of their bits. That is 43 instructions for 16 bytes, beside 13 to load, add and store them. */
#include "tmc_ne16_kernels.h"
#include "tmc_xpulp.h"

enum { WORDS = 4, TOGETHER = 16 };

#define ONES 0x01010101u
#define HIGHEST 0xFFFF0000u /* to add 128 is to turn the highest bit: the last two bytes of 16 */

/** Exchange the bits of *a that `mask` has, `shift` places above, with those of *b that it has. */
static inline void exchange(uint32_t *a, uint32_t *b, uint32_t shift, uint32_t mask)
{
    const uint32_t differing = (*a >> shift ^ *b) & mask;
    *b ^= differing;
    *a ^= differing << shift;
}

/** Take bytes of both words for each of them: numbers 0 to 3 are of *a, 4 to 7 of *b, the lowest first. */
static inline void deal(uint32_t *a, uint32_t *b, uint32_t for_a, uint32_t for_b)
{
    const uint32_t dealt = tmc_shuffle_both(*a, *b, for_a);
    *b = tmc_shuffle_both(*a, *b, for_b);
    *a = dealt;
}

/** Store 16 bytes bit by bit. */
static inline void pack(uint32_t *bits, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    deal(&a, &c, 0x05040100u, 0x07060302u);
    deal(&b, &d, 0x05040100u, 0x07060302u); /* words a c b d are i2 i1; bytes i3 i0 */
    exchange(&a, &c, 2, 0x33333333u);
    exchange(&b, &d, 2, 0x33333333u);
    exchange(&a, &b, 4, 0x0F0F0F0Fu);
    exchange(&c, &d, 4, 0x0F0F0F0Fu); /* words b2 b1; bytes i3 i0; bits i2 i1 b0 */
    deal(&a, &c, 0x06020400u, 0x07030501u);
    deal(&b, &d, 0x06020400u, 0x07030501u); /* words b2 i0; bytes i3 b1 */
    exchange(&a, &c, 1, 0x55555555u);
    exchange(&b, &d, 1, 0x55555555u); /* words b2 b0; bits i2 i1 i0 */
    deal(&a, &c, 0x06040200u, 0x07050301u);
    deal(&b, &d, 0x06040200u, 0x07050301u);
    bits[0] = a, bits[1] = c, bits[2] = b, bits[3] = d ^ HIGHEST;
}

void tmc_attention_pack_s8u8_xpulp(const tmc_attention_pack_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t whole = args->depth / TOGETHER, left = args->depth % TOGETHER;
    const uint32_t last_mask = 0xFFFFFFFFu >> (8u * (3u & (0u - left)));
    uint32_t *bits = (uint32_t *)(void *)args->weight + share.begin * (whole + (left != 0u)) * WORDS;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        int32_t sum = 0;
        for (uint32_t groups = whole; groups != 0u; --groups) {
            const uint32_t a = tmc_next_word(&x), b = tmc_next_word(&x), c = tmc_next_word(&x), d = tmc_next_word(&x);
            sum = tmc_sdot_s8s8(tmc_sdot_s8s8(sum, a, ONES), b, ONES);
            sum = tmc_sdot_s8s8(tmc_sdot_s8s8(sum, c, ONES), d, ONES);
            pack(bits, a, b, c, d);
            bits += WORDS;
        }
        if (left != 0u) {
            uint32_t words[WORDS] = {0};
            for (uint32_t i = 0; 4u * i < left; ++i) {
                words[i] = tmc_next_word(&x) & (4u * i + 4u < left ? 0xFFFFFFFFu : last_mask);
                sum = tmc_sdot_s8s8(sum, words[i], ONES);
            }
            pack(bits, words[0], words[1], words[2], words[3]);
            bits += WORDS;
        }
        args->bias[r] = args->half - args->offset * sum;
    }
}
