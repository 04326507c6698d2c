/* Arithmetic of the scalar kernels: 32-bit integers only. */
#ifndef TMC_ARITHMETIC_H
#define TMC_ARITHMETIC_H

#include <stdint.h>

#include "tmc_cores.h"

/** A contiguous run of rows or channels. */
typedef struct {
    uint32_t begin;
    uint32_t end;
} tmc_share;

/** Return run `index` of `n` rows or channels that are dealt out in runs of `chunk`. */
static inline tmc_share tmc_share_of(uint32_t n, uint32_t index, uint32_t chunk)
{
    const uint32_t begin = index * chunk;
    const tmc_share share = {begin < n ? begin : n, begin + chunk < n ? begin + chunk : n};
    return share;
}

/** Return the calling core's share of `n` rows or channels. */
static inline tmc_share tmc_my_share(uint32_t n)
{
    return tmc_share_of(n, tmc_core_id(), (n + TMC_CORES - 1u) / TMC_CORES);
}

/** Return the calling core's share of `n` channels, 4 by 4. */
static inline tmc_share tmc_my_fours(uint32_t n)
{
    return tmc_share_of(n, tmc_core_id(), ((n + 3u) / 4u + TMC_CORES - 1u) / TMC_CORES * 4u);
}

/** The rows and the channels of a core. */
typedef struct {
    tmc_share rows;
    tmc_share channels;
} tmc_part;

/** Return the calling core's part of `rows` x `channels`. TMC_CORES >> split groups of 2^split cores each take a run of
 *  rows; within a group the cores take runs of channels, 4 by 4. A core in no group has nothing. */
static inline tmc_part tmc_my_part(uint32_t rows, uint32_t channels, uint32_t split)
{
    /* Rows alone most often, in few instructions: in a network they come from L2 at many a call. */
    if (__builtin_expect(split == 0u, 1))
        return (tmc_part){tmc_my_share(rows), {0, channels}};
    const uint32_t core = tmc_core_id(), groups = TMC_CORES >> split, members = 1u << split;
#if (TMC_CORES & (TMC_CORES - 1u)) == 0u
    const uint32_t row_chunk = (rows + groups - 1u) >> ((uint32_t)__builtin_ctz(TMC_CORES) - split);
#else
    const uint32_t row_chunk = (rows + groups - 1u) / groups;
#endif
    const uint32_t channel_chunk = ((channels + 3u) / 4u + members - 1u) >> split << 2;
    return (tmc_part){tmc_share_of(rows, core >> split, row_chunk),
                      tmc_share_of(channels, core & (members - 1u), channel_chunk)};
}

/** Return (a + 2^(s-1)) >> s, and a where s is 0. Rounds after the shift, so that no sum can overflow. */
static inline int32_t tmc_round_shift(int32_t a, uint32_t s)
{
    return s == 0u ? a : (a >> s) + ((a >> (s - 1u)) & 1);
}

/** Return a shift that int32 has for one of `shift` bits or more. */
static inline uint32_t tmc_at_most_31(uint32_t shift)
{
    return shift > 31u ? 31u : shift;
}

static inline int32_t tmc_clip(int32_t a, int32_t low, int32_t high)
{
    return a < low ? low : a > high ? high : a;
}

static inline int8_t tmc_clip8(int32_t a)
{
    return (int8_t)tmc_clip(a, INT8_MIN, INT8_MAX);
}

static inline int16_t tmc_clip16(int32_t a)
{
    return (int16_t)tmc_clip(a, INT16_MIN, INT16_MAX);
}

/** Return the number of bits of a; 0 has none. */
static inline uint32_t tmc_bit_length(uint32_t a)
{
    uint32_t bits = 0;
    for (; a != 0u; a >>= 1)
        ++bits;
    return bits;
}

static inline int32_t tmc_dot_s8s8(const int8_t *a, const int8_t *b, uint32_t n)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; ++i)
        sum += a[i] * b[i];
    return sum;
}

static inline int32_t tmc_dot_u8s8(const uint8_t *a, const int8_t *b, uint32_t n)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; ++i)
        sum += a[i] * b[i];
    return sum;
}

static inline int32_t tmc_dot_s16s8(const int16_t *a, const int8_t *b, uint32_t n)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; ++i)
        sum += a[i] * b[i];
    return sum;
}

/** Return the constants behind the weights of a packed row: multiplier, then bias. */
static inline const int32_t *tmc_row_constants(const int8_t *weight_row, uint32_t depth)
{
    return (const int32_t *)(const void *)(weight_row + ((depth + 3u) & ~3u));
}

/** Return (x . w * multiplier + bias) >> shift for one row of int8 x and one packed row of weights. */
static inline int32_t tmc_requantised_s8s8(const int8_t *x, const int8_t *weight_row, uint32_t depth,
                                           uint32_t shift)
{
    const int32_t *constants = tmc_row_constants(weight_row, depth);
    return (tmc_dot_s8s8(x, weight_row, depth) * constants[0] + constants[1]) >> shift;
}

/** The same for int16 x, with the bias given. */
static inline int32_t tmc_requantised_s16s8(const int16_t *x, const int8_t *weight_row, uint32_t depth,
                                            int32_t bias, uint32_t shift)
{
    return (tmc_dot_s16s8(x, weight_row, depth) * tmc_row_constants(weight_row, depth)[0] + bias) >> shift;
}

#endif
