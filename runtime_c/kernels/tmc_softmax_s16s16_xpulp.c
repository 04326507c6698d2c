/* Three passes over each row: its largest, powers of 2, their shares. */
#include "tmc_kernels.h"
#include "tmc_power.h"
#include "tmc_xpulp.h"

/** Return the largest of a row. */
static int32_t largest_of(const int16_t *x, uint32_t channels)
{
    const uint8_t *words = (const uint8_t *)x;
    uint32_t pair = 0x80008000u;
    for (uint32_t left = channels / 2u; left != 0u; --left)
        pair = tmc_max_halves(pair, tmc_next_word(&words));
    const int32_t low = tmc_half_of(pair, 0), high = tmc_half_of(pair, 1);
    const int32_t last = channels % 2u != 0u ? x[channels - 1u] : INT16_MIN, larger = low > high ? low : high;
    return last > larger ? last : larger;
}

void tmc_softmax_s16s16_xpulp(const tmc_softmax_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t channels = args->channels, shift = args->shift;
    const int32_t limit = args->limit, multiplier = args->multiplier;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const void *from = (const uint8_t *)args->x + r * args->x_pitch;
        void *to = (uint8_t *)args->y + r * args->y_pitch;
        const int16_t *x = (const int16_t *)from;
        uint16_t *powers = (uint16_t *)to;
        const int32_t largest = largest_of(x, channels);
        uint32_t total = 0;
        for (uint32_t c = 0; c < channels; ++c) {
            const int32_t distance = largest - x[c], below = distance < limit ? distance : limit;
            const uint32_t power = tmc_power((uint32_t)tmc_rounded(below * multiplier, shift));
            powers[c] = (uint16_t)power;
            total += power;
        }
        const uint32_t bits = tmc_bits(total);
        const uint32_t narrowed = (uint32_t)tmc_rounded((int32_t)total, bits - 16u);
        const uint32_t inverse = ((1u << 30) + (narrowed >> 1)) / narrowed;
        int16_t *y = (int16_t *)to;
        for (uint32_t c = 0; c < channels; ++c)
            y[c] = (int16_t)tmc_clip_s16(tmc_rounded((int32_t)(powers[c] * inverse), bits - 1u));
    }
}
