/* What cores do of attention whose two products NE16 computes: a part of tmc_ne16_kernels.h.
 *
 * Both products are calls of tmc_linear_u8s8s32 with packed rows for weights: queries (codes + 128) with keys, and
 * probabilities, unsigned as they are, with the values of each channel. All multipliers are 1.
 */
#ifndef TMC_NE16_ATTENTION_KERNELS_H
#define TMC_NE16_ATTENTION_KERNELS_H

#include "tmc_kernels.h"

/** Arguments of tmc_attention_pack. */
typedef struct {
    const int8_t *x;   /* [rows][depth] */
    uint8_t *weight;   /* [rows] packed, one behind the other: a multiple of 16 bytes each */
    int32_t *bias;     /* [rows] */
    uint32_t x_pitch;
    uint32_t rows;
    uint32_t depth;    /* at least 1 */
    int32_t offset;    /* what codes of the other operand have too much: 128, or 0 */
    int32_t half;      /* half a step of what follows */
} tmc_attention_pack_args;

/** Rows as weights: weight[r] = x[r] packed, its last 16 inputs filled up with zeros;
 *  bias[r] = half - offset * sum_k x[r][k], so that (sum_k (q[k] + offset) x[r][k] + bias[r]) >> s is R(q . x[r], s) where
 *  half is 2^(s-1), or 0 for s = 0.
 *  x s8, weight u8. Splits rows. */
void tmc_attention_pack_s8u8_scalar(const tmc_attention_pack_args *args);
void tmc_attention_pack_s8u8_xpulp(const tmc_attention_pack_args *args);

/** Arguments of tmc_attention_softmax_s32u8; one head, one block of rows. */
typedef struct {
    const int32_t *scores;    /* [rows][keys] */
    const uint8_t *exp_table; /* [1024] backwards, [1023] = 255 */
    uint8_t *p;               /* [rows][keys] */
    tmc_attention_norm *norm; /* [rows] */
    uint32_t scores_pitch;
    uint32_t p_pitch;
    uint32_t rows;
    uint32_t keys;            /* at least 1, below 2^16 */
    uint32_t out_multiplier;  /* below 2^15 */
} tmc_attention_softmax_wide_args;

/** tmc_attention_softmax_s16u8 of scores in 32 bits, which fit int16 by proof, not in place; its table is the other way
 *  round: p[j] = exp_table[1023 - min(1023, max - t[j])]. norm as there.
 *  scores s32, p u8. Splits rows. */
void tmc_attention_softmax_s32u8_scalar(const tmc_attention_softmax_wide_args *args);
void tmc_attention_softmax_s32u8_xpulp(const tmc_attention_softmax_wide_args *args);

/** Arguments of tmc_attention_divide. */
typedef struct {
    const int32_t *sums;            /* [rows][channels] */
    const tmc_attention_norm *norm; /* [rows] */
    int8_t *y;                      /* [rows][channels] */
    uint32_t sums_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    int32_t out_shift;              /* -7 to 24 */
} tmc_attention_divide_args;

/** Weighted mean of the values, of sums of products:
 *  y[r][c] = C8(R(R(sums[r][c], norm[r].shift) * norm[r].factor, 7 + out_shift)).
 *  sums s32, y s8. Splits channels. */
void tmc_attention_divide_s32s8_scalar(const tmc_attention_divide_args *args);
void tmc_attention_divide_s32s8_xpulp(const tmc_attention_divide_args *args);

#endif
