#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

/** Return 2^30 / sqrt(v * 2^k) for v * 2^k in [2^29, 2^31): table and one Newton step. */
static uint32_t reciprocal_root(const uint16_t *table, uint32_t normalised)
{
    const uint32_t r = table[(normalised >> 24) - 32u];
    const uint32_t t = ((normalised >> 15) * ((r * r) >> 15)) >> 15;
    return (r * ((3u << 15) - t) + (1u << 15)) >> 16;
}

static void normalise_row(const tmc_layernorm_args *args, const int16_t *x, int8_t *y)
{
    const int32_t channels = (int32_t)args->channels;
    int32_t sum = 0;
    for (int32_t c = 0; c < channels; ++c)
        sum += x[c];
    uint32_t widest = 0;
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t d = channels * x[c] - sum;
        const uint32_t size = (uint32_t)(d < 0 ? -d : d);
        widest = size > widest ? size : widest;
    }
    const uint32_t bits = tmc_bit_length(widest);
    const uint32_t h = bits > args->center_bits ? bits - args->center_bits : 0u;
    int32_t squares = 0;
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t e = tmc_round_shift(channels * x[c] - sum, h);
        squares += e * e;
    }
    const int32_t variance = squares + args->epsilon[h];
    const uint32_t v = variance < 1 ? 1u : (uint32_t)variance;
    const uint32_t half_k = (31u - tmc_bit_length(v)) / 2u;
    const uint32_t r = reciprocal_root(args->rsqrt, v << (2u * half_k));
    const int32_t factor = (int32_t)((r * args->root + (1u << 14)) >> 15);
    const uint32_t norm_shift = 26u - args->norm_bits - half_k;
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t e = tmc_round_shift(channels * x[c] - sum, h);
        const int32_t n = tmc_round_shift(e * factor, norm_shift);
        y[c] = tmc_clip8(tmc_round_shift(n * args->gamma[c] + args->beta[c], args->gamma_shift));
    }
}

void tmc_layernorm_s16s8_scalar(const tmc_layernorm_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t row = share.begin; row < share.end; ++row) {
        const void *x = (const uint8_t *)args->x + row * args->x_pitch;
        normalise_row(args, (const int16_t *)x, args->y + row * args->y_pitch);
    }
}
