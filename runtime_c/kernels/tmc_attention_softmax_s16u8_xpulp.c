/* Two passes over each row: its maximum, 1 cycle a score; then the table, 4 cycles a score.
 *
 * Two scores are read at once and clamped to [max - 1023, max] as halves: the rest of the table holds p[1023], too. The
 * products of their halves with -1 are the offsets from exp_table + max; one instruction each takes a half out of its
 * word, negates it and extends its sign. The sum of the probabilities is a dot product with ones. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

enum { LAST_ENTRY = 1023 };

#if defined(__riscv)

/** Return the halves' maxima over 8 scores times `rounds`, at least 1. 8 instructions a round. */
static uint32_t max_of_eights(const uint8_t *scores, uint32_t rounds)
{
    uint32_t high = 0x80008000u, high2 = high, t0, t1, t2, t3;
    __asm__(".balign 4\n"
            TMC_LOOP(0, "%[rounds]", 8, 7)
            TMC_LW_POST("%[t0]", "%[scores]", 4) TMC_LW_POST("%[t1]", "%[scores]", 4)
            TMC_LW_POST("%[t2]", "%[scores]", 4) TMC_LW_POST("%[t3]", "%[scores]", 4)
            TMC_MAX_HALVES("%[high]", "%[high]", "%[t0]") TMC_MAX_HALVES("%[high2]", "%[high2]", "%[t1]")
            TMC_MAX_HALVES("%[high]", "%[high]", "%[t2]")
            "7: " TMC_MAX_HALVES("%[high2]", "%[high2]", "%[t3]")
            TMC_MAX_HALVES("%[high]", "%[high]", "%[high2]")
            : [scores] "+r"(scores), [high] "+r"(high), [high2] "+r"(high2), [t0] "=&r"(t0), [t1] "=&r"(t1),
              [t2] "=&r"(t2), [t3] "=&r"(t3)
            : [rounds] "r"(rounds)
            : "memory");
    return high;
}

/** Replace 4 scores times `rounds`, at least 1, by their probabilities; return the sum. 16 instructions a round. */
static uint32_t weigh_fours(uint8_t *row, const uint8_t *table_max, uint32_t lowest, uint32_t rounds)
{
    const uint8_t *scores = row;
    uint32_t total = 0, a, b, c, d;
    __asm__(".balign 4\n"
            TMC_LOOP(0, "%[rounds]", 16, 7)
            TMC_LW_POST("%[a]", "%[scores]", 4) TMC_LW_POST("%[c]", "%[scores]", 4)
            TMC_MAX_HALVES("%[a]", "%[a]", "%[lowest]") TMC_MAX_HALVES("%[c]", "%[c]", "%[lowest]")
            TMC_MUL_HIGH("%[b]", "%[a]", "%[minus]") TMC_MUL_LOW("%[a]", "%[a]", "%[minus]")
            TMC_MUL_HIGH("%[d]", "%[c]", "%[minus]") TMC_MUL_LOW("%[c]", "%[c]", "%[minus]")
            TMC_LBU_AT("%[a]", "%[table]", "%[a]") TMC_LBU_AT("%[b]", "%[table]", "%[b]")
            TMC_LBU_AT("%[c]", "%[table]", "%[c]") TMC_LBU_AT("%[d]", "%[table]", "%[d]")
            TMC_PACK_LOW("%[a]", "%[b]", "%[a]") TMC_PACK_HIGH("%[a]", "%[d]", "%[c]")
            TMC_SDOT_U8U8("%[total]", "%[a]", "%[ones]")
            "7: " TMC_SW_POST("%[a]", "%[row]", 4)
            : [row] "+r"(row), [scores] "+r"(scores), [total] "+r"(total), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),
              [d] "=&r"(d)
            : [rounds] "r"(rounds), [lowest] "r"(lowest), [table] "r"(table_max), [minus] "r"(0xFFFFFFFFu),
              [ones] "r"(0x01010101u)
            : "memory");
    return total;
}

#else

static uint32_t max_of_eights(const uint8_t *row, uint32_t rounds)
{
    const int16_t *scores = (const int16_t *)(const void *)row;
    int32_t high[2] = {INT16_MIN, INT16_MIN};
    for (uint32_t i = 0; i < 8u * rounds; ++i)
        high[i % 2u] = scores[i] > high[i % 2u] ? scores[i] : high[i % 2u];
    return tmc_pack_halves(high[0], high[1]);
}

static uint32_t weigh_fours(uint8_t *row, const uint8_t *table_max, uint32_t lowest, uint32_t rounds)
{
    const int16_t *scores = (const int16_t *)(const void *)row;
    uint32_t total = 0;
    for (uint32_t i = 0; i < 4u * rounds; ++i) {
        const int32_t least = tmc_half_of(lowest, i % 2u);
        row[i] = table_max[-(scores[i] > least ? scores[i] : least)];
        total += row[i];
    }
    return total;
}

#endif

/** Return the division by `total` as a shift and a factor: total has n >= 8 bits. */
static tmc_attention_norm norm_of(uint32_t total, uint32_t out_multiplier)
{
    const uint32_t n = tmc_bits(total);
    const uint32_t aligned = n > 16u ? (uint32_t)tmc_rounded((int32_t)total, n - 16u) : total << (16u - n);
    const uint32_t reciprocal = ((1u << 30) + (aligned >> 1)) / aligned;
    const tmc_attention_norm norm = {(int32_t)n - 8, tmc_rounded((int32_t)(reciprocal * out_multiplier), 15)};
    return norm;
}

void tmc_attention_softmax_s16u8_xpulp(const tmc_attention_softmax_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        uint8_t *p = (uint8_t *)args->scores + r * args->scores_pitch;
        const int16_t *scores = (const int16_t *)(const void *)p;
        int32_t highest = INT16_MIN;
        if (args->keys >= 8u) {
            const uint32_t pair = max_of_eights(p, args->keys / 8u);
            highest = tmc_half_of(pair, 0) > tmc_half_of(pair, 1) ? tmc_half_of(pair, 0) : tmc_half_of(pair, 1);
        }
        for (uint32_t j = args->keys & ~7u; j < args->keys; ++j)
            highest = scores[j] > highest ? scores[j] : highest;

        /* No score is below INT16_MIN: there the clamp may end early. */
        const int32_t lowest = highest - LAST_ENTRY < INT16_MIN ? INT16_MIN : highest - LAST_ENTRY;
        const uint8_t *table_max = args->exp_table + highest;
        uint32_t total = 0;
        if (args->keys >= 4u)
            total = weigh_fours(p, table_max, tmc_pack_halves(lowest, lowest), args->keys / 4u);
        for (uint32_t j = args->keys & ~3u; j < args->keys; ++j) {
            p[j] = table_max[-(scores[j] > lowest ? scores[j] : lowest)];
            total += p[j];
        }
        args->norm[r] = norm_of(total, args->out_multiplier);
    }
}
