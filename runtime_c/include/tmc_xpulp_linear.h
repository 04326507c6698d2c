/* Linear kernels for XpulpV2: register blocks of 1 to 5 rows of x times 4 rows of weights.
 *
 * A tmc_linear_blocks describes a chain of blocks: some rows of x times all channels of a core, 4 by 4. On the cluster one
 * asm statement computes it (tmc_xpulp_linear_text.h); a host walks the same chain in C, address by address. One
 * pointer p visits all rows of a block, so that any pitch works and no instruction is spent on addresses:
 *   w0 -W-> w1 -W-> w2 -W-> w3 -D-> x0 -X-> x1 ... -X-> the last row of x -E-> w0 + 4
 *
 * A kernel hands in how one result is stored (`put`), and the same as text for the results of a block (`finish`).
 */
#ifndef TMC_XPULP_LINEAR_H
#define TMC_XPULP_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tmc_kernels.h"
#include "tmc_xpulp.h"

#define TMC_BLOCK_ROWS 5u
#define TMC_BLOCK_CHANNELS 4u

/** A chain of blocks, at least one. Text knows the offsets of the fields, 4 bytes each on the cluster. */
typedef struct {
    uintptr_t p;            /*  0: w0 of the first block */
    uintptr_t x_pitch;      /*  4: X */
    uintptr_t weight_pitch; /*  8: W */
    uintptr_t to_x;         /* 12: D */
    uintptr_t to_weight;    /* 16: E */
    uintptr_t steps;        /* 20: words of a row */
    uintptr_t blocks;       /* 24 */
    uintptr_t p_next;       /* 28: from where the constants of a w4 would be to w0 of the next block */
    uintptr_t d_next;       /* 32: change of D, and of -E, from block to block */
    uintptr_t y;            /* 36: result of x0 and w0 */
    uintptr_t y_pitch;      /* 40 */
    uintptr_t y_next;       /* 44: from block to block */
    uintptr_t shift;        /* 48 */
    uintptr_t table;        /* 52 */
    uintptr_t saved[5];     /* 56: registers of the caller */
    uintptr_t bias;         /* 76: of x0 and w0, where biases are not behind the weights */
    uintptr_t bias_pitch;   /* 80: from row to row */
} tmc_linear_blocks;

/** Computes a chain of blocks of so many rows, 1 to TMC_BLOCK_ROWS; changes its y and its bias. */
typedef void tmc_linear_run(tmc_linear_blocks *chain, uint32_t rows);

/** Stores `value`, already shifted, as the result of row r and channel n, counted from y. */
typedef void tmc_linear_put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value,
                            const int8_t *table);

/** Return (sum * multiplier + bias) >> shift with the constants behind a row of weights. */
static inline int32_t tmc_linear_value(int32_t sum, const int8_t *constants, uint32_t shift)
{
    return tmc_mac((int32_t)tmc_word(constants + 4), sum, (int32_t)tmc_word(constants)) >> shift;
}

/** Point a chain at `rows` rows of x from r on and at whole blocks of channels from n on. steps: words of a row. y: the
 *  result of row 0 and channel 0, with row_bytes to the next row and channel_bytes to the next channel. Field by field:
 *  a second chain would be on the stack else. */
static inline void tmc_linear_begin(tmc_linear_blocks *chain, const tmc_linear_args *args, uint32_t r, uint32_t rows,
                                    uint32_t n, uint32_t blocks, uint32_t steps, uintptr_t y, uint32_t row_bytes,
                                    uint32_t channel_bytes)
{
    const uintptr_t x = (uintptr_t)args->x + r * args->x_pitch, w = (uintptr_t)args->weight + n * args->weight_pitch;
    chain->p = w;
    chain->x_pitch = args->x_pitch;
    chain->weight_pitch = args->weight_pitch;
    chain->to_x = x - (w + (TMC_BLOCK_CHANNELS - 1u) * args->weight_pitch);
    chain->to_weight = w + 4u - (x + (rows - 1u) * args->x_pitch);
    chain->steps = steps;
    chain->blocks = blocks;
    chain->p_next = 0u - 4u * chain->steps;
    chain->d_next = 0u - TMC_BLOCK_CHANNELS * chain->weight_pitch;
    chain->y = y + r * row_bytes + n * channel_bytes;
    chain->y_pitch = args->y_pitch;
    chain->y_next = TMC_BLOCK_CHANNELS * channel_bytes;
    chain->shift = args->shift;
    chain->table = (uintptr_t)args->table;
}

/** Compute channels [begin, end) of row r one by one; y is the result of row 0 and channel 0. Not inlined: its registers would be spilled into the frame of a
 *  caller that holds a chain too. */
static __attribute__((noinline, unused)) void tmc_linear_rest(const tmc_linear_args *args, uintptr_t y, uint32_t r,
                                                              uint32_t begin, uint32_t end, tmc_linear_put *put)
{
    const uint32_t depth = (args->depth + 3u) & ~3u;
    const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
    for (uint32_t n = begin; n < end; ++n) {
        const int8_t *w = args->weight + n * args->weight_pitch;
        int32_t sum = 0;
        for (uint32_t k = 0; k < depth; k += 4u)
            sum = tmc_sdot_s8s8(sum, tmc_word(x + k), tmc_word(w + k));
        put(y, args->y_pitch, r, n, tmc_linear_value(sum, w + depth, args->shift), args->table);
    }
}

/** Compute a part of a kernel of int8 rows; y, row_bytes and channel_bytes as of tmc_linear_begin. Without in_blocks
 *  everything is left to `put`. */
static inline void tmc_linear_compute_part(const tmc_linear_args *args, tmc_part part, uintptr_t y, uint32_t row_bytes,
                                           uint32_t channel_bytes, bool in_blocks, tmc_linear_run *run,
                                           tmc_linear_put *put)
{
    const uint32_t n = part.channels.begin, blocks = in_blocks ? (part.channels.end - n) / TMC_BLOCK_CHANNELS : 0u;
    for (uint32_t r = part.rows.begin; blocks != 0u && r < part.rows.end; r += TMC_BLOCK_ROWS) {
        const uint32_t left = part.rows.end - r, rows = left < TMC_BLOCK_ROWS ? left : TMC_BLOCK_ROWS;
        tmc_linear_blocks chain;
        tmc_linear_begin(&chain, args, r, rows, n, blocks, (args->depth + 3u) / 4u, y, row_bytes, channel_bytes);
        run(&chain, rows);
    }
    const uint32_t done = n + blocks * TMC_BLOCK_CHANNELS;
    for (uint32_t r = part.rows.begin; done < part.channels.end && r < part.rows.end; ++r)
        tmc_linear_rest(args, y, r, done, part.channels.end, put);
}

/** Compute the core's part of a kernel of int8 rows. */
static inline void tmc_linear_compute(const tmc_linear_args *args, uint32_t row_bytes, uint32_t channel_bytes,
                                      bool in_blocks, tmc_linear_run *run, tmc_linear_put *put)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    tmc_linear_compute_part(args, part, (uintptr_t)args->y, row_bytes, channel_bytes, in_blocks, run, put);
}

/** Compute the core's part of a kernel of int8 rows and results that puts runs of head_channels channels one behind the
 *  other. */
static inline void tmc_linear_compute_heads(const tmc_linear_args *args, tmc_linear_run *run, tmc_linear_put *put)
{
    tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    if (args->head_channels >= args->channels) {
        tmc_linear_compute_part(args, part, (uintptr_t)args->y, args->y_pitch, 1, true, run, put);
        return;
    }
    const uint32_t end = part.channels.end;
    uint32_t head = part.channels.begin / args->head_channels;
    while (part.channels.begin < end) {
        const uint32_t head_end = (head + 1u) * args->head_channels;
        const uintptr_t y = (uintptr_t)args->y + head * args->rows * args->y_pitch - head * args->head_channels;
        part.channels.end = head_end < end ? head_end : end;
        tmc_linear_compute_part(args, part, y, args->y_pitch, 1, true, run, put);
        part.channels.begin = part.channels.end;
        ++head;
    }
}

#if defined(__riscv)
#include "tmc_xpulp_linear_text.h"
#else
/** Walk a chain as the text does. */
static inline void tmc_linear_walk(tmc_linear_blocks *chain, uint32_t rows, bool bias_apart,
                                   int32_t (*sdot)(int32_t, uint32_t, uint32_t), tmc_linear_put *put)
{
    uintptr_t p = chain->p, to_x = chain->to_x, to_weight = chain->to_weight;
    for (uintptr_t block = 0; block < chain->blocks; ++block) {
        int32_t sums[TMC_BLOCK_ROWS][TMC_BLOCK_CHANNELS] = {{0}};
        for (uintptr_t step = 0; step < chain->steps; ++step) {
            uint32_t w[TMC_BLOCK_CHANNELS];
            for (uint32_t n = 0; n < TMC_BLOCK_CHANNELS; ++n) {
                w[n] = tmc_word((const void *)p);
                p += n + 1u < TMC_BLOCK_CHANNELS ? chain->weight_pitch : to_x;
            }
            for (uint32_t r = 0; r < rows; ++r) {
                for (uint32_t n = 0; n < TMC_BLOCK_CHANNELS; ++n)
                    sums[r][n] = sdot(sums[r][n], tmc_word((const void *)p), w[n]);
                p += r + 1u < rows ? chain->x_pitch : to_weight;
            }
        }
        for (uint32_t n = 0; n < TMC_BLOCK_CHANNELS; ++n) {
            for (uint32_t r = 0; r < rows; ++r) {
                const uintptr_t bias = bias_apart ? chain->bias + r * chain->bias_pitch + 4u * n : p + 4u;
                const int32_t multiplier = (int32_t)tmc_word((const void *)p);
                const int32_t sum = tmc_mac((int32_t)tmc_word((const void *)bias), sums[r][n], multiplier);
                put(chain->y, chain->y_pitch, r, n, sum >> chain->shift, (const int8_t *)chain->table);
            }
            p += chain->weight_pitch;
        }
        chain->y += chain->y_next;
        chain->bias += 4u * TMC_BLOCK_CHANNELS;
        to_x += chain->d_next;
        to_weight -= chain->d_next;
        p += chain->p_next;
    }
}

/* Defines the function `run`. */
#define TMC_LINEAR_RUN(run, finish, put) \
    static void run(tmc_linear_blocks *chain, uint32_t rows) \
    { \
        tmc_linear_walk(chain, rows, false, tmc_sdot_s8s8, put); \
    }
#define TMC_LINEAR_RUN_GROUPED(run, finish, put) \
    static void run(tmc_linear_blocks *chain, uint32_t rows) \
    { \
        tmc_linear_walk(chain, rows, true, tmc_sdot_s16s16, put); \
    }
#endif

#endif
