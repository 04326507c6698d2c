/* Two passes over each row: its maximum, 2 cycles a score; then the table, 4 cycles a score. Scores clamped to
 * [max - 1023, max] are offsets in the table, which is backwards for that. */
#include "tmc_ne16_kernels.h"
#include "tmc_xpulp_softmax_norm.h"

#if defined(__riscv)

/** Return the maximum of `highest` and 4 scores times `rounds`, at least 1. 8 instructions a round. */
static int32_t max_of_fours(const uint8_t *scores, uint32_t rounds, int32_t highest)
{
    int32_t second = highest;
    uint32_t a, b, c, d;
    __asm__(".balign 4\n"
            TMC_LOOP(0, "%[rounds]", 8, 7)
            TMC_LW_POST("%[a]", "%[scores]", 4) TMC_LW_POST("%[b]", "%[scores]", 4)
            TMC_LW_POST("%[c]", "%[scores]", 4) TMC_LW_POST("%[d]", "%[scores]", 4)
            TMC_MAX("%[high]", "%[high]", "%[a]") TMC_MAX("%[second]", "%[second]", "%[b]")
            TMC_MAX("%[high]", "%[high]", "%[c]")
            "7: " TMC_MAX("%[second]", "%[second]", "%[d]")
            TMC_MAX("%[high]", "%[high]", "%[second]")
            : [scores] "+r"(scores), [high] "+r"(highest), [second] "+r"(second), [a] "=&r"(a), [b] "=&r"(b),
              [c] "=&r"(c), [d] "=&r"(d)
            : [rounds] "r"(rounds)
            : "memory");
    return highest;
}

/** Store the probabilities of 4 scores times `rounds`, at least 1; return the sum. 16 instructions a round. */
static uint32_t weigh_fours(const uint8_t *scores, uint8_t *p, const uint8_t *table_max, int32_t lowest, uint32_t rounds)
{
    uint32_t total = 0, a, b, c, d;
    __asm__ volatile(".balign 4\n"
                     TMC_LOOP(0, "%[rounds]", 16, 7)
                     TMC_LW_POST("%[a]", "%[scores]", 4) TMC_LW_POST("%[b]", "%[scores]", 4)
                     TMC_LW_POST("%[c]", "%[scores]", 4) TMC_LW_POST("%[d]", "%[scores]", 4)
                     TMC_MAX("%[a]", "%[a]", "%[lowest]") TMC_MAX("%[b]", "%[b]", "%[lowest]")
                     TMC_MAX("%[c]", "%[c]", "%[lowest]") TMC_MAX("%[d]", "%[d]", "%[lowest]")
                     TMC_LBU_AT("%[a]", "%[table]", "%[a]") TMC_LBU_AT("%[b]", "%[table]", "%[b]")
                     TMC_LBU_AT("%[c]", "%[table]", "%[c]") TMC_LBU_AT("%[d]", "%[table]", "%[d]")
                     TMC_PACK_LOW("%[a]", "%[b]", "%[a]") TMC_PACK_HIGH("%[a]", "%[d]", "%[c]")
                     TMC_SDOT_U8U8("%[total]", "%[a]", "%[ones]")
                     "7: " TMC_SW_POST("%[a]", "%[p]", 4)
                     : [p] "+r"(p), [scores] "+r"(scores), [total] "+r"(total), [a] "=&r"(a), [b] "=&r"(b),
                       [c] "=&r"(c), [d] "=&r"(d)
                     : [rounds] "r"(rounds), [lowest] "r"(lowest), [table] "r"(table_max), [ones] "r"(0x01010101u)
                     : "memory");
    return total;
}

#else

static int32_t max_of_fours(const uint8_t *row, uint32_t rounds, int32_t highest)
{
    const int32_t *scores = (const int32_t *)(const void *)row;
    for (uint32_t i = 0; i < 4u * rounds; ++i)
        highest = scores[i] > highest ? scores[i] : highest;
    return highest;
}

static uint32_t weigh_fours(const uint8_t *row, uint8_t *p, const uint8_t *table_max, int32_t lowest, uint32_t rounds)
{
    const int32_t *scores = (const int32_t *)(const void *)row;
    uint32_t total = 0;
    for (uint32_t i = 0; i < 4u * rounds; ++i) {
        p[i] = table_max[scores[i] > lowest ? scores[i] : lowest];
        total += p[i];
    }
    return total;
}

#endif

void tmc_attention_softmax_s32u8_xpulp(const tmc_attention_softmax_wide_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t fours = args->keys / 4u;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *row = (const uint8_t *)args->scores + r * args->scores_pitch;
        const int32_t *scores = (const int32_t *)(const void *)row;
        uint8_t *p = args->p + r * args->p_pitch;
        int32_t highest = scores[0];
        if (fours != 0u)
            highest = max_of_fours(row, fours, highest);
        for (uint32_t j = 4u * fours; j < args->keys; ++j)
            highest = scores[j] > highest ? scores[j] : highest;

        const int32_t lowest = highest - TMC_LAST_ENTRY;
        const uint8_t *table_max = args->exp_table + TMC_LAST_ENTRY - highest;
        uint32_t total = 0;
        if (fours != 0u)
            total = weigh_fours(row, p, table_max, lowest, fours);
        for (uint32_t j = 4u * fours; j < args->keys; ++j) {
            p[j] = table_max[scores[j] > lowest ? scores[j] : lowest];
            total += p[j];
        }
        args->norm[r] = tmc_norm_of(total, args->out_multiplier);
    }
}
