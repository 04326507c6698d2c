#include "tmc_kernels.h"
#include "tmc_power.h"

/** Return the largest of a row. */
static int32_t largest_of(const int16_t *x, uint32_t channels)
{
    int32_t largest = INT16_MIN;
    for (uint32_t c = 0; c < channels; ++c)
        largest = x[c] > largest ? x[c] : largest;
    return largest;
}

void tmc_softmax_s16s16_scalar(const tmc_softmax_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const void *from = (const uint8_t *)args->x + r * args->x_pitch;
        void *to = (uint8_t *)args->y + r * args->y_pitch;
        const int16_t *x = (const int16_t *)from;
        uint16_t *powers = (uint16_t *)to;
        const int32_t largest = largest_of(x, args->channels);
        uint32_t total = 0;
        for (uint32_t c = 0; c < args->channels; ++c) {
            const int32_t below = largest - x[c] < args->limit ? largest - x[c] : args->limit;
            powers[c] = (uint16_t)tmc_power((uint32_t)tmc_round_shift(below * args->multiplier, args->shift));
            total += powers[c];
        }
        const uint32_t bits = tmc_bit_length(total);
        const uint32_t narrowed = (uint32_t)tmc_round_shift((int32_t)total, bits - 16u);
        const uint32_t inverse = ((1u << 30) + (narrowed >> 1)) / narrowed;
        int16_t *y = (int16_t *)to;
        for (uint32_t c = 0; c < args->channels; ++c)
            y[c] = tmc_clip16(tmc_round_shift((int32_t)(powers[c] * inverse), bits - 1u));
    }
}
