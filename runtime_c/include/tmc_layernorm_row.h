/* LayerNorm of one int16 row, portable: what the scalar kernels share. */
#ifndef TMC_LAYERNORM_ROW_H
#define TMC_LAYERNORM_ROW_H

#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

/** Return 2^30 / sqrt(v * 2^k) for v * 2^k in [2^29, 2^31): table and one Newton step. */
static inline uint32_t tmc_reciprocal_root(const uint16_t *table, uint32_t normalised)
{
    const uint32_t r = table[(normalised >> 24) - 32u];
    const uint32_t t = ((normalised >> 15) * ((r * r) >> 15)) >> 15;
    return (r * ((3u << 15) - t) + (1u << 15)) >> 16;
}

/** What every element of a row is centred, scaled and rounded by. */
typedef struct {
    int32_t times; /* the number of channels where rows are centred, else 1 */
    int32_t sum;   /* of the row where rows are centred, else 0 */
    uint32_t h;
    int32_t factor;
    uint32_t norm_shift;
} tmc_layernorm_row;

/** Survey a row. */
static inline tmc_layernorm_row tmc_survey_row(const tmc_layernorm_args *args, const int16_t *x)
{
    const int32_t channels = (int32_t)args->channels;
    const int32_t times = args->centred != 0u ? channels : 1;
    int32_t sum = 0;
    for (int32_t c = 0; args->centred != 0u && c < channels; ++c)
        sum += x[c];
    uint32_t widest = 0;
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t d = times * x[c] - sum;
        const uint32_t size = (uint32_t)(d < 0 ? -d : d);
        widest = size > widest ? size : widest;
    }
    const uint32_t bits = tmc_bit_length(widest);
    const uint32_t h = bits > args->center_bits ? bits - args->center_bits : 0u;
    int32_t squares = 0;
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t e = tmc_round_shift(times * x[c] - sum, h);
        squares += e * e;
    }
    const uint32_t g = args->epsilon_shift > h ? args->epsilon_shift - h : 0u;
    const int32_t variance = (squares >> tmc_at_most_31(2u * g)) + args->epsilon[h];
    const uint32_t v = variance < 1 ? 1u : (uint32_t)variance;
    const uint32_t half_k = (31u - tmc_bit_length(v)) / 2u;
    const uint32_t r = tmc_reciprocal_root(args->rsqrt, v << (2u * half_k));
    const tmc_layernorm_row row = {
        times, sum, h, (int32_t)((r * args->root + (1u << 14)) >> 15),
        tmc_at_most_31(26u + g - args->norm_bits - half_k),
    };
    return row;
}

/** Return channel c of the LayerNorm of a surveyed row, not yet saturated. */
static inline int32_t tmc_normalised(const tmc_layernorm_args *args, const tmc_layernorm_row *row, const int16_t *x,
                                     uint32_t c)
{
    const int32_t e = tmc_round_shift(row->times * x[c] - row->sum, row->h);
    const int32_t n = tmc_round_shift(e * row->factor, row->norm_shift);
    return tmc_round_shift(n * args->gamma[c] + args->beta[c], args->gamma_shift);
}

#endif
