/* Weighted means of the values for one type of result. The kernel that includes this defines first:
 *   TMC_VALUES_TYPE   the C type of the result
 *   TMC_VALUES_CLIP   the function that saturates to it
 *   TMC_VALUES_BITS   its bits
 *   TMC_VALUES_STORE  instructions: store r0 to r3 of a row at a0, and add `step` to a0
 *
 * Blocks of 5 rows of probabilities times 4 channels (tmc_xpulp_attention.h). The first step of a block takes the last
 * word of the rows, with what lies behind them masked off. A block with n words of keys is 29 n + 129 instructions. */
#ifndef TMC_XPULP_ATTENTION_VALUES_H
#define TMC_XPULP_ATTENTION_VALUES_H

#include "tmc_kernels.h"
#include "tmc_xpulp_attention.h"

#if defined(__riscv)

/* No accumulator is in use yet: s11 = the way back, sp = the mask, both until row 4. */
#define MASK(x) "and " x ", " x ", sp\n"
#define FIRST \
    "lw s11, 48(a5)\nlw sp, 52(a5)\nsub s11, ra, s11\n" TMC_ATTENTION_STEP(TMC_DOT_U8S8, MASK, "s11", "")

#define NARROW(r) TMC_ADD_ROUND_SHIFT(r, "x0", "a2")
#define TIMES(r) TMC_MUL_LOW(r, r, "a5")
#define ROUND(r) TMC_ADD_ROUND_SHIFT(r, "x0", "a3")
#define CLIP(r) TMC_CLIP(r, r, TMC_VALUES_BITS)
#define OF_ALL(OF, r0, r1, r2, r3) OF(r0) OF(r1) OF(r2) OF(r3)
/* A row: 21 instructions. */
#define ROW(shift, factor, r0, r1, r2, r3, step) \
    "lw a2, " #shift "(a4)\nlw a5, " #factor "(a4)\n" \
    OF_ALL(NARROW, r0, r1, r2, r3) OF_ALL(TIMES, r0, r1, r2, r3) OF_ALL(ROUND, r0, r1, r2, r3) \
    OF_ALL(CLIP, r0, r1, r2, r3) TMC_VALUES_STORE(r0, r1, r2, r3, step)

#define FINISH \
    "lw a4, 56(a5)\nlw a3, 44(a5)\nlw a0, 32(a5)\nlw a1, 36(a5)\n" \
    ROW(0, 4, "t0", "t1", "t2", "t3", "a1") ROW(8, 12, "t4", "t5", "t6", "a6", "a1") \
    ROW(16, 20, "a7", "s2", "s3", "s4", "a1") ROW(24, 28, "s5", "s6", "s7", "s8", "a1") \
    ROW(32, 36, "s9", "s10", "s11", "sp", "a1") \
    "csrr a5, mepc\nlw a1, 40(a5)\nadd a0, a0, a1\nsw a0, 32(a5)\n"

static __attribute__((noinline)) void compute_blocks(tmc_attention_blocks *chain)
{
    TMC_ATTENTION_BLOCKS(chain, FIRST, TMC_SDOT_U8S8, FINISH);
}

#endif

/** Divide a sum by the sum of its row. */
static TMC_VALUES_TYPE divided(int32_t sum, const tmc_attention_norm *norm, uint32_t shift)
{
    const int32_t narrowed = tmc_rounded(sum, (uint32_t)norm->shift);
    return (TMC_VALUES_TYPE)TMC_VALUES_CLIP(tmc_rounded(narrowed * norm->factor, shift));
}

#if !defined(__riscv)

static void compute_blocks(tmc_attention_blocks *chain)
{
    uintptr_t p = chain->p, y = chain->y;
    for (uintptr_t block = 0; block < chain->blocks; ++block) {
        const uintptr_t to_x = chain->to_x - 4u * block * chain->w_pitch;
        const uintptr_t to_w = chain->to_w + 4u * block * chain->w_pitch;
        int32_t sums[TMC_BLOCK_X][TMC_BLOCK_W] = {{0}};
        for (uintptr_t step = 0; step <= chain->steps; ++step) {
            uint32_t w[TMC_BLOCK_W], x[TMC_BLOCK_X];
            tmc_attention_visit(chain, &p, to_x, step == 0u ? to_w - chain->first_back : to_w, w, x);
            const uint32_t mask = step == 0u ? (uint32_t)chain->first_mask : 0xFFFFFFFFu;
            for (uint32_t i = 0; i < TMC_BLOCK_X * TMC_BLOCK_W; ++i)
                sums[i / 4u][i % 4u] = tmc_sdot_u8s8(sums[i / 4u][i % 4u], x[i / 4u] & mask, w[i % 4u]);
        }
        for (uint32_t i = 0; i < TMC_BLOCK_X; ++i) {
            const tmc_attention_norm *norm = (const tmc_attention_norm *)chain->norm + i;
            for (uint32_t j = 0; j < TMC_BLOCK_W; ++j)
                ((TMC_VALUES_TYPE *)y)[j] = divided(sums[i][j], norm, (uint32_t)chain->shift);
            y += chain->y_pitch;
        }
        y += chain->y_next;
        p += chain->p_next;
    }
}

#endif

TMC_ATTENTION_ROW(row_times_4, TMC_SDOT_U8S8, tmc_sdot_u8s8)

/** Compute the channels from `channel` on of row r: vt and y are those of its head, y that of row 0. */
static void compute_row(const tmc_attention_values_args *args, const int8_t *vt, uint8_t *y, uint32_t r, uint32_t channel)
{
    void *row = y + r * args->y_pitch;
    TMC_VALUES_TYPE *means = (TMC_VALUES_TYPE *)row;
    for (; channel < args->channels; channel += TMC_BLOCK_W) {
        int32_t sums[TMC_BLOCK_W];
        const uint32_t left = args->channels - channel;
        row_times_4(sums, args->p + r * args->p_pitch, vt + channel * args->vt_pitch, args->vt_pitch, left,
                    args->keys);
        for (uint32_t i = 0; i < TMC_BLOCK_W && i < left; ++i)
            means[channel + i] = divided(sums[i], &args->norm[r], (uint32_t)(7 + args->out_shift));
    }
}

/** Compute rows r to end - 1, all of one head; vt and y as of compute_row. */
static void compute_rows(const tmc_attention_values_args *args, const int8_t *vt_rows, uint8_t *y, uint32_t r, uint32_t end)
{
    /* The first step of a block reads the word at `tail`, the others those before it. */
    const uint32_t tail = (args->keys - 1u) / 4u * 4u;
    const uint32_t in_blocks = args->keys > 4u ? args->channels / TMC_BLOCK_W : 0u;
    const uintptr_t x_pitch = args->p_pitch, w_pitch = args->vt_pitch, y_pitch = args->y_pitch;
    for (; in_blocks != 0u && r + TMC_BLOCK_X <= end; r += TMC_BLOCK_X) {
        const uintptr_t p = (uintptr_t)args->p + r * x_pitch, vt = (uintptr_t)vt_rows;
        tmc_attention_blocks chain = {
            .p = vt + tail, .x_pitch = x_pitch, .w_pitch = w_pitch,
            .to_x = p - vt - 3u * w_pitch, .to_w = vt + 4u - p - 4u * x_pitch,
            .steps = tail / 4u, .blocks = in_blocks, .p_next = 4u * w_pitch,
            .y = (uintptr_t)y + r * y_pitch, .y_pitch = y_pitch, .y_next = TMC_BLOCK_W * sizeof(TMC_VALUES_TYPE) - 5u * y_pitch,
            .shift = (uintptr_t)(7 + args->out_shift),
            .first_back = tail + 4u, .first_mask = tmc_last_mask(args->keys), .norm = (uintptr_t)&args->norm[r],
        };
        compute_blocks(&chain);
        for (uint32_t i = 0; args->channels % TMC_BLOCK_W != 0u && i < TMC_BLOCK_X; ++i)
            compute_row(args, vt_rows, y, r + i, in_blocks * TMC_BLOCK_W);
    }
    for (; r < end; ++r)
        compute_row(args, vt_rows, y, r, 0);
}

/** Compute the means of the calling core's rows. */
static void compute_means(const tmc_attention_values_args *args)
{
    const tmc_share share = tmc_my_share(args->heads * args->rows);
    uint32_t head = args->heads > 1u ? share.begin / args->rows : 0u;
    for (uint32_t r = share.begin; r < share.end; ++head) {
        const uint32_t head_end = (head + 1u) * args->rows, end = head_end < share.end ? head_end : share.end;
        const int8_t *vt = args->vt + head * args->channels * args->vt_pitch;
        const uint32_t column_bytes = head * args->channels * (uint32_t)sizeof(TMC_VALUES_TYPE);
        compute_rows(args, vt, (uint8_t *)args->y + column_bytes - head * args->rows * args->y_pitch, r, end);
        r = end;
    }
}

#endif
