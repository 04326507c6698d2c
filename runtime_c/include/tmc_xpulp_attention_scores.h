/* Scores of attention for one type of Q and K. The kernel that includes this defines first:
 *   TMC_SCORES_TYPE       the C type of an element of Q and K
 *   TMC_SCORES_DOT_FIRST  the instruction that multiplies two words of them
 *   TMC_SCORES_DOT        the same, added to a sum
 *   tmc_scores_dot        that as a function
 *   TMC_SCORES_CLIP       instructions: saturate all sums; a3 = chain->limit, a5 = chain
 *   tmc_scores_clip       that as a function: (sum, limit)
 *
 * Blocks of 5 queries times 4 keys (tmc_xpulp_attention.h). A block with n words of width is 29 n + 53 instructions and
 * one stall, of which 20 round and shift, 10 pack, 10 store: of int8 25.9 cycles a score at width 64. Its code, 110
 * instructions, fits the private instruction cache; saturation takes 21 more. */
#ifndef TMC_XPULP_ATTENTION_SCORES_H
#define TMC_XPULP_ATTENTION_SCORES_H

#include "tmc_kernels.h"
#include "tmc_xpulp_attention.h"

#if defined(__riscv)

#define FIRST TMC_ATTENTION_STEP(TMC_SCORES_DOT_FIRST, TMC_ATTENTION_NO_MASK, "ra", "")
#define ROUND(r) TMC_ADD_ROUND_SHIFT(r, "x0", "a4")
#define STORE(r0, r1, r2, r3, step) \
    TMC_PACK_HALVES(r0, r1, r0) TMC_PACK_HALVES(r2, r3, r2) "sw " r2 ", 4(a0)\n" TMC_SW_STEP(r0, "a0", step)

#define FINISH \
    "lw a4, 44(a5)\nlw a0, 32(a5)\nlw a1, 36(a5)\nlw a2, 40(a5)\n" \
    TMC_ATTENTION_ALL(ROUND) TMC_SCORES_CLIP \
    STORE("t0", "t1", "t2", "t3", "a1") STORE("t4", "t5", "t6", "a6", "a1") STORE("a7", "s2", "s3", "s4", "a1") \
    STORE("s5", "s6", "s7", "s8", "a1") STORE("s9", "s10", "s11", "sp", "a2") \
    "sw a0, 32(a5)\n"

static __attribute__((noinline)) void compute_blocks(tmc_attention_blocks *chain)
{
    TMC_ATTENTION_BLOCKS(chain, FIRST, TMC_SCORES_DOT, FINISH);
}

#else

static void compute_blocks(tmc_attention_blocks *chain)
{
    uintptr_t p = chain->p, y = chain->y;
    for (uintptr_t block = 0; block < chain->blocks; ++block) {
        const uintptr_t to_x = chain->to_x - 4u * block * chain->w_pitch;
        const uintptr_t to_w = chain->to_w + 4u * block * chain->w_pitch;
        int32_t sums[TMC_BLOCK_X][TMC_BLOCK_W] = {{0}};
        for (uintptr_t step = 0; step <= chain->steps; ++step) {
            uint32_t w[TMC_BLOCK_W], x[TMC_BLOCK_X];
            tmc_attention_visit(chain, &p, to_x, to_w, w, x);
            for (uint32_t i = 0; i < TMC_BLOCK_X * TMC_BLOCK_W; ++i)
                sums[i / 4u][i % 4u] = tmc_scores_dot(sums[i / 4u][i % 4u], x[i / 4u], w[i % 4u]);
        }
        for (uint32_t i = 0; i < TMC_BLOCK_X; ++i) {
            for (uint32_t j = 0; j < TMC_BLOCK_W; ++j)
                ((int16_t *)y)[j] = (int16_t)tmc_scores_clip(tmc_rounded(sums[i][j], (uint32_t)chain->shift), (uint32_t)chain->limit);
            y += i + 1u < TMC_BLOCK_X ? chain->y_pitch : chain->y_next;
        }
        p += chain->p_next;
    }
}

#endif

TMC_ATTENTION_ROW(row_times_4, TMC_SCORES_DOT, tmc_scores_dot)

/** Compute the scores of query r and the keys k from `key` on. */
static void compute_row(const tmc_attention_scores_args *args, const uint8_t *k, uint32_t shift, uint32_t r, uint32_t key)
{
    void *row = (uint8_t *)args->scores + r * args->scores_pitch;
    int16_t *scores = (int16_t *)row + args->key0;
    for (; key < args->keys; key += TMC_BLOCK_W) {
        int32_t sums[TMC_BLOCK_W];
        const uint32_t left = args->keys - key;
        row_times_4(sums, (const uint8_t *)args->q + r * args->q_pitch, k + key * args->k_pitch, args->k_pitch, left,
                    args->width * (uint32_t)sizeof(TMC_SCORES_TYPE));
        for (uint32_t i = 0; i < TMC_BLOCK_W && i < left; ++i)
            scores[key + i] = (int16_t)tmc_scores_clip(tmc_rounded(sums[i], shift), args->limit);
    }
}

/** Compute the scores of queries r to end - 1 of one head, whose keys begin at `keys`. */
static void compute_rows(const tmc_attention_scores_args *args, const uint8_t *keys, uint32_t shift, uint32_t r, uint32_t end)
{
    const uint32_t row_bytes = args->width * (uint32_t)sizeof(TMC_SCORES_TYPE);
    const uint32_t in_blocks = row_bytes % 4u == 0u && row_bytes >= 8u ? args->keys / TMC_BLOCK_W : 0u;
    const uintptr_t x_pitch = args->q_pitch, w_pitch = args->k_pitch, y_pitch = args->scores_pitch;
    for (; in_blocks != 0u && r + TMC_BLOCK_X <= end; r += TMC_BLOCK_X) {
        const uintptr_t q = (uintptr_t)args->q + r * x_pitch, k = (uintptr_t)keys;
        tmc_attention_blocks chain = {
            .p = k, .x_pitch = x_pitch, .w_pitch = w_pitch,
            .to_x = q - k - 3u * w_pitch, .to_w = k + 4u - q - 4u * x_pitch,
            .steps = row_bytes / 4u - 1u, .blocks = in_blocks, .p_next = 4u * w_pitch - row_bytes,
            .y = (uintptr_t)args->scores + r * y_pitch + 2u * args->key0, .y_pitch = y_pitch,
            .y_next = 2u * TMC_BLOCK_W - 4u * y_pitch, .shift = shift, .limit = args->limit,
        };
        compute_blocks(&chain);
        for (uint32_t i = 0; args->keys % TMC_BLOCK_W != 0u && i < TMC_BLOCK_X; ++i)
            compute_row(args, keys, shift, r + i, in_blocks * TMC_BLOCK_W);
    }
    for (; r < end; ++r)
        compute_row(args, keys, shift, r, 0);
}

/** Compute the scores of the calling core's queries. */
static void compute_scores(const tmc_attention_scores_args *args)
{
    const tmc_share share = tmc_my_share(args->heads * args->rows);
    uint32_t head = args->heads > 1u ? share.begin / args->rows : 0u;
    for (uint32_t r = share.begin; r < share.end; ++head) {
        const uint32_t head_end = (head + 1u) * args->rows, end = head_end < share.end ? head_end : share.end;
        compute_rows(args, (const uint8_t *)args->k + head * args->keys * args->k_pitch, args->shift >> 8u * head & 255u, r, end);
        r = end;
    }
}

#endif
