#include "tmc_xpulp_linear.h"

/* Weights are widened to halves: 4 rows of them on the stack if they are not deeper, else in registers. */
#define DEPTH_MAX 32u

static void put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value, const int8_t *table)
{
    (void)table;
    ((int16_t *)(y + r * y_pitch))[n] = (int16_t)tmc_clip_s16(value);
}

/* 40 instructions. */
#define FINISH TMC_LINEAR_EACH(TMC_LINEAR_CLIP16) TMC_LINEAR_EACH_ROW(TMC_LINEAR_STORE16)
TMC_LINEAR_RUN_OF(run, TMC_SDOT_S16S16, tmc_sdot_s16s16, FINISH, put)

/* Rows that share a row of bias. */
typedef struct {
    uint32_t begin;
    uint32_t end;
    const int32_t *bias;
} group;

/* Returns the depth of a row of weights, which ends with a word; a row of x need not fill the second half of it. */
static uint32_t packed_depth(const tmc_linear_args *args)
{
    return (args->depth + 3u) & ~3u;
}

/* Writes as many words of halves as a row of x has, and the multiplier and the bias behind them. */
static void widen(uint32_t *to, const int8_t *weight, uint32_t depth, uint32_t steps, int32_t bias)
{
    for (uint32_t k = 0; k < depth; k += 4u) {
        const uint32_t word = tmc_word(weight + k);
        to[k / 2u] = tmc_widen_low(word);
        to[k / 2u + 1u] = tmc_widen_high(word);
    }
    to[steps] = tmc_word(weight + depth);
    to[steps + 1u] = (uint32_t)bias;
}

/* Computes 4 channels from n on of all rows of a group, at least 5. */
static __attribute__((noinline)) void four_channels(const tmc_linear_args *args, const group *of, uint32_t n)
{
    uint32_t wide[TMC_BLOCK_CHANNELS][DEPTH_MAX / 2u + 2u];
    const uint32_t depth = packed_depth(args), steps = (args->depth + 1u) / 2u, count = of->end - of->begin;
    for (uint32_t i = 0; i < TMC_BLOCK_CHANNELS; ++i)
        widen(wide[i], args->weight + (n + i) * args->weight_pitch, depth, steps, of->bias[n + i]);
    /* The last block may compute rows again that were in the one before. */
    for (uint32_t done = 0; done < count; done += count - count % TMC_BLOCK_ROWS) {
        const uint32_t r = done == 0u ? of->begin : of->end - TMC_BLOCK_ROWS;
        tmc_linear_blocks chain;
        tmc_linear_begin(&chain, args, r, (const int8_t *)wide, sizeof *wide);
        chain.steps = steps;
        chain.blocks = done == 0u ? count / TMC_BLOCK_ROWS : 1u;
        chain.p_next = 0u - 4u * chain.steps - TMC_BLOCK_CHANNELS * chain.weight_pitch;
        chain.d_next = TMC_BLOCK_ROWS * chain.x_pitch;
        chain.y += r * args->y_pitch + 2u * n;
        chain.y_next = TMC_BLOCK_ROWS * chain.y_pitch;
        run(&chain);
    }
}

/* Computes channels [n, channels) of row r. */
static __attribute__((noinline)) void rest(const tmc_linear_args *args, const group *of, uint32_t r, uint32_t n)
{
    const uint32_t depth = packed_depth(args);
    const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
    for (; n < args->channels; ++n) {
        const int8_t *weight = args->weight + n * args->weight_pitch;
        int32_t sum = 0;
        uint32_t k = 0;
        for (; k + 2u < args->depth; k += 4u) {
            const uint32_t word = tmc_word(weight + k);
            sum = tmc_sdot_s16s16(sum, tmc_word(x + 2u * k), tmc_widen_low(word));
            sum = tmc_sdot_s16s16(sum, tmc_word(x + 2u * k + 4u), tmc_widen_high(word));
        }
        if (k < args->depth)
            sum = tmc_sdot_s16s16(sum, tmc_word(x + 2u * k), tmc_widen_low(tmc_word(weight + k)));
        sum = tmc_mac(of->bias[n], sum, (int32_t)tmc_word(weight + depth)) >> args->shift;
        put((uintptr_t)args->y, args->y_pitch, r, n, sum, NULL);
    }
}

void tmc_linear_grouped_s16s8s16_xpulp(const tmc_linear_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end;) {
        const uint32_t index = (args->row0 + r) / args->group_rows;
        const uint32_t next = (index + 1u) * args->group_rows - args->row0;
        const group of = {r, next < share.end ? next : share.end, args->bias + index * args->bias_channels};
        const bool blocks = args->depth <= DEPTH_MAX && of.end - of.begin >= TMC_BLOCK_ROWS;
        const uint32_t channels = blocks ? args->channels & ~(TMC_BLOCK_CHANNELS - 1u) : 0u;
        for (uint32_t n = 0; n < channels; n += TMC_BLOCK_CHANNELS)
            four_channels(args, &of, n);
        for (; r < of.end; ++r)
            rest(args, &of, r, channels);
    }
}
