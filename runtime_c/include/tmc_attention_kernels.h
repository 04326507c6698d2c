/* The kernels of attention: a part of tmc_kernels.h, which states the rules for all. */
#ifndef TMC_ATTENTION_KERNELS_H
#define TMC_ATTENTION_KERNELS_H

#include <stdint.h>

/** Arguments of tmc_attention_scores; one head, one block of rows, one block of keys; or some whole heads. */
typedef struct {
    const void *q;    /* [heads][rows][width] */
    const void *k;    /* [heads][keys][width] */
    int16_t *scores;  /* [heads][rows][key0 + keys ...]; columns key0 to key0 + keys - 1 are written */
    uint32_t q_pitch;
    uint32_t k_pitch;
    uint32_t scores_pitch;
    uint32_t rows;
    uint32_t keys;
    uint32_t width;
    uint32_t key0;    /* a multiple of 2 */
    uint32_t heads;   /* 1 to 4 */
    uint32_t shift;   /* 8 bits for each head, the lowest for the first */
    uint32_t limit;   /* of wide queries and keys, below 2^15 */
} tmc_attention_scores_args;

/** Scores of attention: scores[r][key0 + j] = R(sum_i q[r][i] k[j][i], shift), which fits int16 by proof.
 *  q, k s8, scores s16. Splits rows. Those of all heads count as one run. */
void tmc_attention_scores_s8s8s16_scalar(const tmc_attention_scores_args *args);
void tmc_attention_scores_s8s8s16_xpulp(const tmc_attention_scores_args *args);

/** The same of wide queries and keys, whose sums fit 32 bits by proof; scores saturate to -limit - 1 to limit.
 *  q, k s16, scores s16. Splits rows. Those of all heads count as one run. */
void tmc_attention_scores_s16s16s16_scalar(const tmc_attention_scores_args *args);
void tmc_attention_scores_s16s16s16_xpulp(const tmc_attention_scores_args *args);

/** Division of one row by its sum: narrow by R(., shift), then multiply by factor. */
typedef struct {
    int32_t shift;
    int32_t factor;
} tmc_attention_norm;

/** Arguments of tmc_attention_softmax; one head, one block of rows; or some whole heads. */
typedef struct {
    int16_t *scores;          /* [heads][rows][keys]; afterwards uint8 p[keys] at the beginning of each row */
    const uint8_t *exp_table; /* [heads][1024], [.][0] = 255 */
    tmc_attention_norm *norm; /* [heads][rows] */
    uint32_t scores_pitch;
    uint32_t rows;
    uint32_t keys;            /* at least 1, below 2^16 */
    uint32_t heads;
    uint32_t out_multiplier;  /* below 2^15 */
} tmc_attention_softmax_args;

/** Softmax without its division, in place: p[j] = exp_table[min(1023, max - t[j])]; L = sum of p, n its bits;
 *  norm = {n - 8, R(reciprocal(L) * out_multiplier, 15)}. The rest of the row is left undefined.
 *  scores s16, p u8. Splits rows. Those of all heads count as one run. */
void tmc_attention_softmax_s16u8_scalar(const tmc_attention_softmax_args *args);
void tmc_attention_softmax_s16u8_xpulp(const tmc_attention_softmax_args *args);

/** Arguments of tmc_attention_softmax_bias; one head, one block of rows. */
typedef struct {
    int16_t *scores;          /* as in tmc_attention_softmax_args */
    const int16_t *bias;      /* [bias_rows][keys] */
    const uint8_t *exp_table; /* [1024], [0] = 255 */
    tmc_attention_norm *norm; /* [rows] */
    uint32_t scores_pitch;
    uint32_t bias_pitch;
    uint32_t rows;
    uint32_t bias_rows;       /* rows, or 1: one for all rows */
    uint32_t keys;            /* at least 1, below 2^16 */
    uint32_t out_multiplier;  /* below 2^15 */
} tmc_attention_softmax_bias_args;

/** The same of t[j] + bias[j], which fits int16 by proof.
 *  scores s16, bias s16, p u8. Splits rows. */
void tmc_attention_softmax_bias_s16s16u8_scalar(const tmc_attention_softmax_bias_args *args);
void tmc_attention_softmax_bias_s16s16u8_xpulp(const tmc_attention_softmax_bias_args *args);

/** Arguments of tmc_attention_values; one head, one block of rows, one block of its channels; or some whole heads. */
typedef struct {
    const uint8_t *p;               /* [heads][rows][keys] */
    const int8_t *vt;               /* [heads][channels][keys] */
    const tmc_attention_norm *norm; /* [heads][rows] */
    void *y;                        /* [rows][heads][channels] */
    uint32_t p_pitch;               /* the scores_pitch of tmc_attention_softmax */
    uint32_t vt_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t keys;
    uint32_t channels;
    uint32_t heads;                 /* 1, or more where channels are a multiple of 4 */
    int32_t out_shift;              /* -7 to 24 */
} tmc_attention_values_args;

/** Weighted mean of the values:
 *  y[r][c] = C8(R(R(sum_j p[r][j] vt[c][j], norm[r].shift) * norm[r].factor, 7 + out_shift)).
 *  p u8, vt s8, y s8. Splits rows. Those of all heads count as one run. */
void tmc_attention_values_u8s8s8_scalar(const tmc_attention_values_args *args);
void tmc_attention_values_u8s8s8_xpulp(const tmc_attention_values_args *args);

/** The same with a wide result, saturated to 16 bits.
 *  p u8, vt s8, y s16. Splits rows. Those of all heads count as one run. */
void tmc_attention_values_u8s8s16_scalar(const tmc_attention_values_args *args);
void tmc_attention_values_u8s8s16_xpulp(const tmc_attention_values_args *args);

#endif
