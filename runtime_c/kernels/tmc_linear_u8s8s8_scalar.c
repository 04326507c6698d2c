#include "tmc_arithmetic.h"
#include "tmc_ne16_kernels.h"

#define GROUP 16u /* inputs whose weights lie together */

/** Return a weight: its bits lie 2 bytes apart. */
static int32_t weight_of(const uint8_t *channel, uint32_t k)
{
    const uint8_t *byte = channel + k / GROUP * GROUP + k % GROUP / 8u;
    int32_t weight = -128;
    for (uint32_t bit = 0; bit < 8u; ++bit)
        weight += (byte[2u * bit] >> (k % 8u) & 1) << bit;
    return weight;
}

void tmc_linear_u8s8s8_scalar(const tmc_ne16_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t channel_bytes = (args->depth + GROUP - 1u) / GROUP * GROUP;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = args->x + r * args->x_pitch;
        for (uint32_t n = 0; n < args->channels; ++n) {
            const uint32_t head = n / args->head_channels;
            int32_t sum = 0;
            for (uint32_t k = 0; k < args->depth; ++k)
                sum += x[k] * weight_of(args->weight + n * channel_bytes, k);
            sum = (sum * args->multiplier[n] + args->bias[n]) >> args->shift;
            args->y[(head * args->rows + r) * args->y_pitch + n - head * args->head_channels] = tmc_clip8(sum);
        }
    }
}
