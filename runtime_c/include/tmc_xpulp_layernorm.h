/* LayerNorm of int16 rows, for one type of result. The kernel that includes this defines first:
 *   TMC_LAYERNORM_TYPE   the C type of the result
 *   TMC_LAYERNORM_CLIP   the function that saturates to it
 *   TMC_LAYERNORM_STORE  instructions: saturate t0 to t3 and store them at y; label 7 at the last one
 *   TMC_LAYERNORM_TURNED the bits that are to be turned in 4 results, `turned` of these instructions
 *   TMC_LAYERNORM_ROUND  instructions for 4 channels: 34, and those
 *
 * Three passes over each row of x, two channels to a word:
 *   its sum, maximum and minimum      2 instructions a channel
 *   e = R(d, h), the sum of squares   3.5
 *   e again, n, y                     10.25 for int8, 10.5 for int16
 * d = channels x - sum, or x, is never stored: a product of one half, then one instruction that adds -sum, rounds and shifts.
 * e times the 17-bit factor is a dot product: the two halves of `factors` add up to the factor. */
#ifndef TMC_XPULP_LAYERNORM_H
#define TMC_XPULP_LAYERNORM_H

#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/** What is known of a row. */
typedef struct {
    uint32_t times;      /* the number of channels where rows are centred, else 1 */
    int32_t sum;         /* of the row where rows are centred, else 0 */
    uint32_t widest;     /* the greatest |d| */
    uint32_t h;
    uint32_t factor;
    uint32_t norm_shift;
} row_numbers;

#if defined(__riscv)

/** Add up 8 channels times `rounds`, at least 1; halves of *high and *low: maxima and minima. 16 instructions a round. */
static int32_t survey_eights(const uint8_t *x, uint32_t rounds, uint32_t *high, uint32_t *low)
{
    int32_t sum = 0;
    uint32_t maxima = 0x80008000u, minima = 0x7FFF7FFFu, a, b, c, d;
    __asm__(".balign 4\n"
            TMC_LOOP(0, "%[rounds]", 16, 7)
            TMC_LW_POST("%[a]", "%[x]", 4) TMC_LW_POST("%[b]", "%[x]", 4)
            TMC_LW_POST("%[c]", "%[x]", 4) TMC_LW_POST("%[d]", "%[x]", 4)
            TMC_SDOT_S16S16("%[sum]", "%[a]", "%[ones]") TMC_SDOT_S16S16("%[sum]", "%[b]", "%[ones]")
            TMC_SDOT_S16S16("%[sum]", "%[c]", "%[ones]") TMC_SDOT_S16S16("%[sum]", "%[d]", "%[ones]")
            TMC_MAX_HALVES("%[high]", "%[high]", "%[a]") TMC_MIN_HALVES("%[low]", "%[low]", "%[a]")
            TMC_MAX_HALVES("%[high]", "%[high]", "%[b]") TMC_MIN_HALVES("%[low]", "%[low]", "%[b]")
            TMC_MAX_HALVES("%[high]", "%[high]", "%[c]") TMC_MIN_HALVES("%[low]", "%[low]", "%[c]")
            TMC_MAX_HALVES("%[high]", "%[high]", "%[d]") "7: " TMC_MIN_HALVES("%[low]", "%[low]", "%[d]")
            : [x] "+r"(x), [sum] "+r"(sum), [high] "+r"(maxima), [low] "+r"(minima), [a] "=&r"(a), [b] "=&r"(b),
              [c] "=&r"(c), [d] "=&r"(d)
            : [rounds] "r"(rounds), [ones] "r"(0x00010001u)
            : "memory");
    *high = maxima, *low = minima;
    return sum;
}

/* e of the 4 channels of two words at x, to a, b, c, d: 10 instructions. */
#define CENTRE \
    TMC_LW_POST("%[a]", "%[x]", 4) TMC_LW_POST("%[c]", "%[x]", 4) \
    TMC_MUL_HIGH("%[b]", "%[a]", "%[times]") TMC_MUL_LOW("%[a]", "%[a]", "%[times]") \
    TMC_MUL_HIGH("%[d]", "%[c]", "%[times]") TMC_MUL_LOW("%[c]", "%[c]", "%[times]") \
    EACH(TMC_ADD_ROUND_SHIFT, "%[minus_sum]", "%[h]")
#define EACH(OF, second, third) \
    OF("%[a]", second, third) OF("%[b]", second, third) OF("%[c]", second, third) OF("%[d]", second, third)

/** Return the sum of e^2 over 4 channels times `rounds`, at least 1. 14 instructions a round. */
static int32_t square_fours(const row_numbers *row, const uint8_t *x, uint32_t rounds)
{
    int32_t squares = 0;
    uint32_t a, b, c, d;
    __asm__(".balign 4\n"
            TMC_LOOP(0, "%[rounds]", 14, 7)
            CENTRE
            TMC_MAC("%[squares]", "%[a]", "%[a]") TMC_MAC("%[squares]", "%[b]", "%[b]")
            TMC_MAC("%[squares]", "%[c]", "%[c]") "7: " TMC_MAC("%[squares]", "%[d]", "%[d]")
            : [x] "+r"(x), [squares] "+r"(squares), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
            : [rounds] "r"(rounds), [times] "r"(row->times * 0x00010001u), [minus_sum] "r"(-row->sum),
              [h] "r"(row->h)
            : "memory");
    return squares;
}

/** Normalise 4 channels times `rounds`, at least 1; the factor is below 65535. */
static void normalise_fours(const row_numbers *row, const tmc_layernorm_args *args, const uint8_t *x,
                            TMC_LAYERNORM_TYPE *y, uint32_t rounds)
{
    const int16_t *gamma = args->gamma;
    const int32_t *beta = args->beta;
    const uint32_t half = row->factor / 2u;
    uint32_t a, b, c, d, g, t0, t1, t2, t3;
    __asm__ volatile(
        ".balign 4\n"
        TMC_LOOP(0, "%[rounds]", TMC_LAYERNORM_ROUND, 7)
        CENTRE
        TMC_DOT_SCALAR("%[a]", "%[factors]", "%[a]") TMC_DOT_SCALAR("%[b]", "%[factors]", "%[b]")
        TMC_DOT_SCALAR("%[c]", "%[factors]", "%[c]") TMC_DOT_SCALAR("%[d]", "%[factors]", "%[d]")
        TMC_LW_POST("%[t0]", "%[beta]", 4) TMC_LW_POST("%[t1]", "%[beta]", 4)
        TMC_LW_POST("%[t2]", "%[beta]", 4) TMC_LW_POST("%[t3]", "%[beta]", 4)
        TMC_LH_POST("%[g]", "%[gamma]", 2) EACH(TMC_ADD_ROUND_SHIFT, "x0", "%[norm_shift]")
        TMC_MAC("%[t0]", "%[a]", "%[g]") TMC_LH_POST("%[g]", "%[gamma]", 2)
        TMC_LH_POST("%[a]", "%[gamma]", 2) TMC_MAC("%[t1]", "%[b]", "%[g]")
        TMC_LH_POST("%[g]", "%[gamma]", 2) TMC_MAC("%[t2]", "%[c]", "%[a]") TMC_MAC("%[t3]", "%[d]", "%[g]")
        TMC_ADD_ROUND_SHIFT("%[t0]", "x0", "%[shift]") TMC_ADD_ROUND_SHIFT("%[t1]", "x0", "%[shift]")
        TMC_ADD_ROUND_SHIFT("%[t2]", "x0", "%[shift]") TMC_ADD_ROUND_SHIFT("%[t3]", "x0", "%[shift]")
        TMC_LAYERNORM_STORE
        : [x] "+r"(x), [y] "+r"(y), [gamma] "+r"(gamma), [beta] "+r"(beta), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),
          [d] "=&r"(d), [g] "=&r"(g), [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3)
        : [rounds] "r"(rounds), [times] "r"(row->times * 0x00010001u), [minus_sum] "r"(-row->sum),
          [h] "r"(row->h), [factors] "r"(half << 16 | (row->factor - half)), [norm_shift] "r"(row->norm_shift),
          [shift] "r"(args->gamma_shift), [turned] "rJ"(TMC_LAYERNORM_TURNED)
        : "memory");
}

#endif

/** Return e of a channel. */
static int32_t centred(const row_numbers *row, int32_t x)
{
    return tmc_rounded((int32_t)row->times * x - row->sum, row->h);
}

/** Return the sum of e^2 over the channels from `first` to `end` - 1. */
static int32_t square_some(const row_numbers *row, const int16_t *x, uint32_t first, uint32_t end)
{
    int32_t squares = 0;
    for (uint32_t i = first; i < end; ++i) {
        const int32_t e = centred(row, x[i]);
        squares = tmc_mac(squares, e, e);
    }
    return squares;
}

/** Normalise the channels from `first` to `end` - 1. */
static void normalise_some(const row_numbers *row, const tmc_layernorm_args *args, const int16_t *x,
                           TMC_LAYERNORM_TYPE *y, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; ++i) {
        const int32_t e = centred(row, x[i]);
        const int32_t n = tmc_rounded(e * (int32_t)row->factor, row->norm_shift);
        const int32_t scaled = tmc_mac(args->beta[i], n, args->gamma[i]);
        y[i] = (TMC_LAYERNORM_TYPE)TMC_LAYERNORM_CLIP(tmc_rounded(scaled, args->gamma_shift));
    }
}

#if !defined(__riscv)

static int32_t survey_eights(const uint8_t *x, uint32_t rounds, uint32_t *high, uint32_t *low)
{
    int32_t sum = 0, highest = INT16_MIN, lowest = INT16_MAX;
    for (uint32_t i = 0; i < 4u * rounds; ++i) {
        const uint32_t word = tmc_next_word(&x);
        for (uint32_t j = 0; j < 2u; ++j) {
            const int32_t value = tmc_half_of(word, j);
            sum += value;
            highest = value > highest ? value : highest;
            lowest = value < lowest ? value : lowest;
        }
    }
    *high = tmc_pack_halves(highest, highest), *low = tmc_pack_halves(lowest, lowest);
    return sum;
}

static int32_t square_fours(const row_numbers *row, const uint8_t *x, uint32_t rounds)
{
    return square_some(row, (const int16_t *)(const void *)x, 0, 4u * rounds);
}

static void normalise_fours(const row_numbers *row, const tmc_layernorm_args *args, const uint8_t *x,
                            TMC_LAYERNORM_TYPE *y, uint32_t rounds)
{
    normalise_some(row, args, (const int16_t *)(const void *)x, y, 0, 4u * rounds);
}

#endif

/** Find the sum and the widest deviation of a row. */
static void survey(row_numbers *row, const int16_t *x, uint32_t channels, uint32_t is_centred)
{
    int32_t sum = 0, highest = INT16_MIN, lowest = INT16_MAX;
    if (channels >= 8u) {
        uint32_t high, low;
        sum = survey_eights((const uint8_t *)x, channels / 8u, &high, &low);
        const int32_t high0 = tmc_half_of(high, 0), high1 = tmc_half_of(high, 1);
        const int32_t low0 = tmc_half_of(low, 0), low1 = tmc_half_of(low, 1);
        highest = high0 > high1 ? high0 : high1, lowest = low0 < low1 ? low0 : low1;
    }
    for (uint32_t i = channels & ~7u; i < channels; ++i) {
        sum += x[i];
        highest = x[i] > highest ? x[i] : highest;
        lowest = x[i] < lowest ? x[i] : lowest;
    }
    const int32_t times = is_centred != 0u ? (int32_t)channels : 1;
    row->times = (uint32_t)times;
    row->sum = is_centred != 0u ? sum : 0;
    const int32_t above = times * highest - row->sum, below = row->sum - times * lowest;
    row->widest = (uint32_t)(above > below ? above : below);
}

/** Find what normalises a row, from the sum of its squares: reciprocal root by table and one Newton step. */
static void scale(row_numbers *row, const tmc_layernorm_args *args, int32_t squares)
{
    const uint32_t g = args->epsilon_shift > row->h ? args->epsilon_shift - row->h : 0u;
    const int32_t variance = (squares >> tmc_at_most_31(2u * g)) + args->epsilon[row->h];
    const uint32_t v = variance < 1 ? 1u : (uint32_t)variance;
    const uint32_t half_k = (31u - tmc_bits(v)) / 2u;
    const uint32_t normalised = v << (2u * half_k);
    const uint32_t r0 = args->rsqrt[(normalised >> 24) - 32u];
    const uint32_t t = ((normalised >> 15) * ((r0 * r0) >> 15)) >> 15;
    const uint32_t r = (r0 * ((3u << 15) - t) + (1u << 15)) >> 16;
    row->factor = (r * args->root + (1u << 14)) >> 15;
    row->norm_shift = tmc_at_most_31(26u + g - args->norm_bits - half_k);
}

/** Normalise the calling core's rows. */
static void normalise_rows(const tmc_layernorm_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t channels = args->channels, fours = channels / 4u;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const void *line = (const uint8_t *)args->x + r * args->x_pitch;
        const int16_t *x = (const int16_t *)line;
        void *to = (uint8_t *)args->y + r * args->y_pitch;
        TMC_LAYERNORM_TYPE *y = (TMC_LAYERNORM_TYPE *)to;
        row_numbers row = {0, 0, 0, 0, 0, 0};
        survey(&row, x, channels, args->centred);
        const uint32_t bits = row.widest == 0u ? 0u : tmc_bits(row.widest);
        row.h = bits > args->center_bits ? bits - args->center_bits : 0u;
        int32_t squares = square_some(&row, x, 4u * fours, channels);
        if (fours != 0u)
            squares += square_fours(&row, (const uint8_t *)line, fours);
        scale(&row, args, squares);
        const uint32_t in_fours = row.factor < 0xF000u ? fours : 0u;
        if (in_fours != 0u)
            normalise_fours(&row, args, (const uint8_t *)line, y, in_fours);
        normalise_some(&row, args, x, y, 4u * in_fours, channels);
    }
}

#endif
