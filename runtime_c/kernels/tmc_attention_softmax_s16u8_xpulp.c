/* Two passes over each row: its maximum, 1 cycle a score; then the table. */
#include "tmc_xpulp_softmax.h"

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

#else

static uint32_t max_of_eights(const uint8_t *row, uint32_t rounds)
{
    const int16_t *scores = (const int16_t *)(const void *)row;
    int32_t high[2] = {INT16_MIN, INT16_MIN};
    for (uint32_t i = 0; i < 8u * rounds; ++i)
        high[i % 2u] = scores[i] > high[i % 2u] ? scores[i] : high[i % 2u];
    return tmc_pack_halves(high[0], high[1]);
}

#endif

void tmc_attention_softmax_s16u8_xpulp(const tmc_attention_softmax_args *args)
{
    const tmc_share share = tmc_my_share(args->heads * args->rows);
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
        const int32_t lowest = highest - TMC_LAST_ENTRY < INT16_MIN ? INT16_MIN : highest - TMC_LAST_ENTRY;
        const uint8_t *table_max = args->exp_table + (args->heads > 1u ? r / args->rows * 1024u : 0u) + highest;
        uint32_t total = 0;
        if (args->keys >= 4u)
            total = tmc_weigh_fours(p, table_max, tmc_pack_halves(lowest, lowest), args->keys / 4u);
        for (uint32_t j = args->keys & ~3u; j < args->keys; ++j) {
            p[j] = table_max[-(scores[j] > lowest ? scores[j] : lowest)];
            total += p[j];
        }
        args->norm[r] = tmc_norm_of(total, args->out_multiplier);
    }
}
