/* Linear kernels for XpulpV2: register blocks of 5 rows of x times 4 rows of weights, int8, and what is left over.
 *
 * A tmc_linear_blocks describes a chain of blocks. On the cluster one asm statement computes it
 * (tmc_xpulp_linear_text.h); a host walks the same chain in C, address by address. One pointer p visits all nine
 * rows of a block, so that any pitch works and no instruction is spent on addresses:
 *   w0 -W-> w1 -W-> w2 -W-> w3 -D-> x0 -X-> x1 -X-> x2 -X-> x3 -X-> x4 -E-> w0 + 4
 *
 * A kernel hands in how one result is stored (`put`), and the same as text for 20 results (`finish`).
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
} tmc_linear_blocks;

/** Computes a chain; changes its y. */
typedef void tmc_linear_run(tmc_linear_blocks *chain);

/** Stores `value`, already shifted, as the result of row r and channel n, counted from y. */
typedef void tmc_linear_put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value,
                            const int8_t *table);

/** Return (sum * multiplier + bias) >> shift with the constants behind a row of weights. */
static inline int32_t tmc_linear_value(int32_t sum, const int8_t *constants, uint32_t shift)
{
    return tmc_mac((int32_t)tmc_word(constants + 4), sum, (int32_t)tmc_word(constants)) >> shift;
}

/** Point a chain at the first of some rows of weights, weight_pitch apart, and at row r of x. What leads from block to
 *  block and the number of blocks are left to the caller. Field by field: a second chain would be on the stack else. */
static inline void tmc_linear_begin(tmc_linear_blocks *chain, const tmc_linear_args *args, uint32_t r,
                                    const int8_t *weight, uintptr_t weight_pitch)
{
    const uintptr_t x = (uintptr_t)args->x + r * args->x_pitch, w = (uintptr_t)weight;
    chain->p = w;
    chain->x_pitch = args->x_pitch;
    chain->weight_pitch = weight_pitch;
    chain->to_x = x - (w + (TMC_BLOCK_CHANNELS - 1u) * weight_pitch);
    chain->to_weight = w + 4u - (x + (TMC_BLOCK_ROWS - 1u) * args->x_pitch);
    chain->steps = (args->depth + 3u) / 4u;
    chain->y = (uintptr_t)args->y;
    chain->y_pitch = args->y_pitch;
    chain->shift = args->shift;
    chain->table = (uintptr_t)args->table;
}

/** Compute channels [begin, end) of row r, 4 together while there are as many. Not inlined: its registers would be
 *  spilled into the frame of a caller that holds a chain too. */
static __attribute__((noinline, unused)) void tmc_linear_rest(const tmc_linear_args *args, uint32_t r, uint32_t begin, uint32_t end,
                                   tmc_linear_put *put)
{
    const uint32_t depth = (args->depth + 3u) & ~3u;
    const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
    const uintptr_t y = (uintptr_t)args->y;
    uint32_t n = begin;
    for (; n + 4u <= end; n += 4u) {
        const int8_t *w0 = args->weight + n * args->weight_pitch, *w1 = w0 + args->weight_pitch;
        const int8_t *w2 = w1 + args->weight_pitch, *w3 = w2 + args->weight_pitch;
        int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
        for (uint32_t k = 0; k < depth; k += 4u) {
            const uint32_t word = tmc_word(x + k);
            sum0 = tmc_sdot_s8s8(sum0, word, tmc_word(w0 + k));
            sum1 = tmc_sdot_s8s8(sum1, word, tmc_word(w1 + k));
            sum2 = tmc_sdot_s8s8(sum2, word, tmc_word(w2 + k));
            sum3 = tmc_sdot_s8s8(sum3, word, tmc_word(w3 + k));
        }
        put(y, args->y_pitch, r, n, tmc_linear_value(sum0, w0 + depth, args->shift), args->table);
        put(y, args->y_pitch, r, n + 1u, tmc_linear_value(sum1, w1 + depth, args->shift), args->table);
        put(y, args->y_pitch, r, n + 2u, tmc_linear_value(sum2, w2 + depth, args->shift), args->table);
        put(y, args->y_pitch, r, n + 3u, tmc_linear_value(sum3, w3 + depth, args->shift), args->table);
    }
    for (; n < end; ++n) {
        const int8_t *w = args->weight + n * args->weight_pitch;
        int32_t sum = 0;
        for (uint32_t k = 0; k < depth; k += 4u)
            sum = tmc_sdot_s8s8(sum, tmc_word(x + k), tmc_word(w + k));
        put(y, args->y_pitch, r, n, tmc_linear_value(sum, w + depth, args->shift), args->table);
    }
}

/** Return how many rows or channels of a share blocks of `size` cover: all, if the last block may cover some again. */
static inline uint32_t tmc_linear_covered(tmc_share share, uint32_t size, bool again)
{
    const uint32_t count = share.end - share.begin;
    return count >= size && again ? count : count - count % size;
}

/** Return the first row or channel of the block that begins after `done` ones, or earlier to end with the share. */
static inline uint32_t tmc_linear_first(tmc_share share, uint32_t done, uint32_t size)
{
    const uint32_t first = share.begin + done;
    return first + size <= share.end ? first : share.end - size;
}

/** Compute a kernel that splits rows; y has elements of y_bytes. A null `run` leaves everything to `put`. The last
 *  block may compute rows again that were in the one before, unless they are updated in place. */
static inline void tmc_linear_by_rows(const tmc_linear_args *args, uint32_t y_bytes, bool in_place,
                                      tmc_linear_run *run, tmc_linear_put *put)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t channels = run != NULL ? args->channels & ~(TMC_BLOCK_CHANNELS - 1u) : 0u;
    const uint32_t rows = channels != 0u ? tmc_linear_covered(share, TMC_BLOCK_ROWS, !in_place) : 0u;
    for (uint32_t done = 0; done < rows; done += TMC_BLOCK_ROWS) {
        const uint32_t r = tmc_linear_first(share, done, TMC_BLOCK_ROWS);
        tmc_linear_blocks chain;
        tmc_linear_begin(&chain, args, r, args->weight, args->weight_pitch);
        chain.blocks = channels / TMC_BLOCK_CHANNELS;
        chain.p_next = 0u - 4u * chain.steps;
        chain.d_next = 0u - TMC_BLOCK_CHANNELS * chain.weight_pitch;
        chain.y += r * args->y_pitch;
        chain.y_next = TMC_BLOCK_CHANNELS * y_bytes;
        run(&chain);
    }
    const uint32_t left = share.begin + rows;
    for (uint32_t r = channels < args->channels ? share.begin : left; r < share.end; ++r)
        tmc_linear_rest(args, r, r < left ? channels : 0u, args->channels, put);
}

/** Compute a kernel that splits channels and stores y [channels][rows] of bytes. */
static inline void tmc_linear_by_channels(const tmc_linear_args *args, tmc_linear_run *run, tmc_linear_put *put)
{
    const tmc_share share = tmc_my_share(args->channels);
    const uint32_t rows = args->rows - args->rows % TMC_BLOCK_ROWS;
    const uint32_t channels = rows != 0u ? tmc_linear_covered(share, TMC_BLOCK_CHANNELS, true) : 0u;
    for (uint32_t done = 0; done < channels; done += TMC_BLOCK_CHANNELS) {
        const uint32_t n = tmc_linear_first(share, done, TMC_BLOCK_CHANNELS);
        tmc_linear_blocks chain;
        tmc_linear_begin(&chain, args, 0, args->weight + n * args->weight_pitch, args->weight_pitch);
        chain.blocks = rows / TMC_BLOCK_ROWS;
        chain.p_next = 0u - 4u * chain.steps - TMC_BLOCK_CHANNELS * chain.weight_pitch;
        chain.d_next = TMC_BLOCK_ROWS * chain.x_pitch;
        chain.y += n * args->y_pitch;
        chain.y_next = TMC_BLOCK_ROWS;
        run(&chain);
    }
    const uint32_t left = share.begin + channels;
    for (uint32_t r = left < share.end ? 0u : rows; r < args->rows; ++r)
        tmc_linear_rest(args, r, r < rows ? left : share.begin, share.end, put);
}

#if defined(__riscv)
#include "tmc_xpulp_linear_text.h"
#else
/** Walk a chain as the text does. */
static inline void tmc_linear_walk(tmc_linear_blocks *chain, int32_t (*sdot)(int32_t, uint32_t, uint32_t),
                                   tmc_linear_put *put)
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
            for (uint32_t r = 0; r < TMC_BLOCK_ROWS; ++r) {
                for (uint32_t n = 0; n < TMC_BLOCK_CHANNELS; ++n)
                    sums[r][n] = sdot(sums[r][n], tmc_word((const void *)p), w[n]);
                p += r + 1u < TMC_BLOCK_ROWS ? chain->x_pitch : to_weight;
            }
        }
        for (uint32_t n = 0; n < TMC_BLOCK_CHANNELS; ++n) {
            for (uint32_t r = 0; r < TMC_BLOCK_ROWS; ++r) {
                const int32_t value = tmc_linear_value(sums[r][n], (const int8_t *)p, (uint32_t)chain->shift);
                put(chain->y, chain->y_pitch, r, n, value, (const int8_t *)chain->table);
            }
            p += chain->weight_pitch;
        }
        chain->y += chain->y_next;
        to_x += chain->d_next;
        to_weight -= chain->d_next;
        p += chain->p_next;
    }
}

/* Defines the function `run`. */
#define TMC_LINEAR_RUN_OF(run, dot, sdot, finish, put) \
    static void run(tmc_linear_blocks *chain) \
    { \
        tmc_linear_walk(chain, sdot, put); \
    }
#endif

#define TMC_LINEAR_RUN(run, finish, put) TMC_LINEAR_RUN_OF(run, TMC_SDOT_S8S8, tmc_sdot_s8s8, finish, put)

#endif
