/* The first pass over a row adds the bias to the scores on the way to their maximum: 2.5 cycles a score. */
#include "tmc_xpulp_softmax.h"

#if defined(__riscv)

/** Add 4 biases times `rounds`, at least 1; return the halves' maxima over the sums. 10 instructions a round. */
static uint32_t add_fours(uint8_t *row, const uint8_t *bias, uint32_t rounds)
{
    const uint8_t *scores = row;
    uint32_t high = 0x80008000u, high2 = high, a, b, c, d;
    __asm__ volatile(".balign 4\n"
                     TMC_LOOP(0, "%[rounds]", 10, 7)
                     TMC_LW_POST("%[a]", "%[scores]", 4) TMC_LW_POST("%[b]", "%[bias]", 4)
                     TMC_LW_POST("%[c]", "%[scores]", 4) TMC_LW_POST("%[d]", "%[bias]", 4)
                     TMC_ADD_HALVES("%[a]", "%[a]", "%[b]") TMC_ADD_HALVES("%[c]", "%[c]", "%[d]")
                     TMC_MAX_HALVES("%[high]", "%[high]", "%[a]") TMC_MAX_HALVES("%[high2]", "%[high2]", "%[c]")
                     TMC_SW_POST("%[a]", "%[row]", 4) "7: " TMC_SW_POST("%[c]", "%[row]", 4)
                     TMC_MAX_HALVES("%[high]", "%[high]", "%[high2]")
                     : [row] "+r"(row), [scores] "+r"(scores), [bias] "+r"(bias), [high] "+r"(high),
                       [high2] "+r"(high2), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
                     : [rounds] "r"(rounds)
                     : "memory");
    return high;
}

#else

static uint32_t add_fours(uint8_t *row, const uint8_t *bias, uint32_t rounds)
{
    int16_t *scores = (int16_t *)(void *)row;
    int32_t high[2] = {INT16_MIN, INT16_MIN};
    for (uint32_t i = 0; i < 4u * rounds; ++i) {
        scores[i] = (int16_t)(scores[i] + ((const int16_t *)(const void *)bias)[i]);
        high[i % 2u] = scores[i] > high[i % 2u] ? scores[i] : high[i % 2u];
    }
    return tmc_pack_halves(high[0], high[1]);
}

#endif

void tmc_attention_softmax_bias_s16s16u8_xpulp(const tmc_attention_softmax_bias_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t step = args->bias_rows > 1u ? args->bias_pitch : 0u, fours = args->keys / 4u;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        uint8_t *p = (uint8_t *)args->scores + r * args->scores_pitch;
        const uint8_t *line = (const uint8_t *)args->bias + r * step;
        int16_t *scores = (int16_t *)(void *)p;
        int32_t highest = INT16_MIN;
        if (fours != 0u) {
            const uint32_t pair = add_fours(p, line, fours);
            highest = tmc_half_of(pair, 0) > tmc_half_of(pair, 1) ? tmc_half_of(pair, 0) : tmc_half_of(pair, 1);
        }
        for (uint32_t j = 4u * fours; j < args->keys; ++j) {
            scores[j] = (int16_t)(scores[j] + ((const int16_t *)(const void *)line)[j]);
            highest = scores[j] > highest ? scores[j] : highest;
        }

        /* No score is below INT16_MIN: there the clamp may end early. */
        const int32_t lowest = highest - TMC_LAST_ENTRY < INT16_MIN ? INT16_MIN : highest - TMC_LAST_ENTRY;
        const uint8_t *table_max = args->exp_table + highest;
        uint32_t total = 0;
        if (fours != 0u)
            total = tmc_weigh_fours(p, table_max, tmc_pack_halves(lowest, lowest), fours);
        for (uint32_t j = 4u * fours; j < args->keys; ++j) {
            p[j] = table_max[-(scores[j] > lowest ? scores[j] : lowest)];
            total += p[j];
        }
        args->norm[r] = tmc_norm_of(total, args->out_multiplier);
    }
}
