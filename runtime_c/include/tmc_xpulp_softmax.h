/* The second of two passes of a softmax without its division, for XpulpV2: behind that for the maximum of a row, the
 * table, 4 cycles a score.
 *
 * Two scores are read at once and clamped to [max - 1023, max] as halves: the rest of the table holds p[1023], too. The
 * products of their halves with -1 are the offsets from exp_table + max; one instruction each takes a half out of its
 * word, negates it and extends its sign. The sum of the probabilities is a dot product with ones. */
#ifndef TMC_XPULP_SOFTMAX_H
#define TMC_XPULP_SOFTMAX_H

#include "tmc_xpulp_softmax_norm.h"

#if defined(__riscv)

/** Replace 4 scores times `rounds`, at least 1, by their probabilities; return the sum. 16 instructions a round. */
static uint32_t tmc_weigh_fours(uint8_t *row, const uint8_t *table_max, uint32_t lowest, uint32_t rounds)
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

static uint32_t tmc_weigh_fours(uint8_t *row, const uint8_t *table_max, uint32_t lowest, uint32_t rounds)
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

#endif
