#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/* Rows of x and y that share a row of bias. */
typedef struct {
    const uint8_t *x;
    uint8_t *y;
    const int32_t *bias;
    uint32_t rows;
} run;

static inline void put(const tmc_linear_args *args, const run *of, uint32_t r, uint32_t n, int32_t sum,
                       int32_t multiplier)
{
    int16_t *y = (int16_t *)(void *)(of->y + r * args->y_pitch);
    y[n] = (int16_t)tmc_clip_s16(tmc_mac(of->bias[n], sum, multiplier) >> args->shift);
}

/* Computes rows r0 to r3 of channels n and m. */
static inline void block(const tmc_linear_args *args, const run *of, uint32_t r0, uint32_t r1, uint32_t r2,
                         uint32_t r3, uint32_t n, uint32_t m)
{
    const uint8_t *x0 = of->x + r0 * args->x_pitch, *x1 = of->x + r1 * args->x_pitch;
    const uint8_t *x2 = of->x + r2 * args->x_pitch, *x3 = of->x + r3 * args->x_pitch;
    const int8_t *weight_n = args->weight + n * args->weight_pitch;
    const int8_t *weight_m = args->weight + m * args->weight_pitch;
    const int8_t *end = weight_n + ((args->depth + 3u) & ~3u);
    int32_t sum0n = 0, sum0m = 0, sum1n = 0, sum1m = 0, sum2n = 0, sum2m = 0, sum3n = 0, sum3m = 0;
    while (weight_n != end) {
        const uint32_t word_n = tmc_word(weight_n), word_m = tmc_word(weight_m);
        const uint32_t low_n = tmc_widen_low(word_n), low_m = tmc_widen_low(word_m);
        const uint32_t high_n = tmc_widen_high(word_n), high_m = tmc_widen_high(word_m);
        sum0n = tmc_sdot_s16s16(sum0n, tmc_word(x0), low_n);
        sum0m = tmc_sdot_s16s16(sum0m, tmc_word(x0), low_m);
        sum1n = tmc_sdot_s16s16(sum1n, tmc_word(x1), low_n);
        sum1m = tmc_sdot_s16s16(sum1m, tmc_word(x1), low_m);
        sum2n = tmc_sdot_s16s16(sum2n, tmc_word(x2), low_n);
        sum2m = tmc_sdot_s16s16(sum2m, tmc_word(x2), low_m);
        sum3n = tmc_sdot_s16s16(sum3n, tmc_word(x3), low_n);
        sum3m = tmc_sdot_s16s16(sum3m, tmc_word(x3), low_m);
        sum0n = tmc_sdot_s16s16(sum0n, tmc_word(x0 + 4), high_n);
        sum0m = tmc_sdot_s16s16(sum0m, tmc_word(x0 + 4), high_m);
        sum1n = tmc_sdot_s16s16(sum1n, tmc_word(x1 + 4), high_n);
        sum1m = tmc_sdot_s16s16(sum1m, tmc_word(x1 + 4), high_m);
        sum2n = tmc_sdot_s16s16(sum2n, tmc_word(x2 + 4), high_n);
        sum2m = tmc_sdot_s16s16(sum2m, tmc_word(x2 + 4), high_m);
        sum3n = tmc_sdot_s16s16(sum3n, tmc_word(x3 + 4), high_n);
        sum3m = tmc_sdot_s16s16(sum3m, tmc_word(x3 + 4), high_m);
        x0 += 8, x1 += 8, x2 += 8, x3 += 8, weight_n += 4, weight_m += 4;
    }
    const int32_t multiplier_n = (int32_t)tmc_word(weight_n), multiplier_m = (int32_t)tmc_word(weight_m);
    put(args, of, r0, n, sum0n, multiplier_n);
    put(args, of, r1, n, sum1n, multiplier_n);
    put(args, of, r2, n, sum2n, multiplier_n);
    put(args, of, r3, n, sum3n, multiplier_n);
    put(args, of, r0, m, sum0m, multiplier_m);
    put(args, of, r1, m, sum1m, multiplier_m);
    put(args, of, r2, m, sum2m, multiplier_m);
    put(args, of, r3, m, sum3m, multiplier_m);
}

/* What the last block has too much is the last row or channel again. */
static void blocks(const tmc_linear_args *args, const run *of)
{
    const uint32_t last = of->rows - 1u;
    for (uint32_t r = 0; r <= last; r += 4u) {
        const uint32_t r1 = r + 1u < last ? r + 1u : last, r2 = r + 2u < last ? r + 2u : last;
        const uint32_t r3 = r + 3u < last ? r + 3u : last;
        for (uint32_t n = 0; n < args->channels; n += 2u)
            block(args, of, r, r1, r2, r3, n, n + 1u < args->channels ? n + 1u : n);
    }
}

void tmc_linear_grouped_s16s8s16_xpulp(const tmc_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    uint32_t rows = 0;
    for (uint32_t r = share.begin; r < share.end; r += rows) {
        const uint32_t number = args->row0 + r, group = number / args->group_rows;
        const uint32_t left = share.end - r, same = (group + 1u) * args->group_rows - number;
        rows = same < left ? same : left;
        const run of = {
            (const uint8_t *)args->x + r * args->x_pitch,
            (uint8_t *)args->y + r * args->y_pitch,
            args->bias + group * args->bias_channels,
            rows,
        };
        blocks(args, &of);
    }
}
