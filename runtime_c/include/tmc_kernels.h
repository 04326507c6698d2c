/* Kernels: tmc_<op>[_<variant>]_<types>_<isa>.
 *
 * <types> are input, weights, output. isa `scalar` is portable C99 and the oracle of the others, which take
 * the same arguments and give the same bytes.
 *
 * Rules for all of them
 *   - All TMC_CORES cores call a kernel with the same arguments. Each takes one contiguous chunk of
 *     ceil(n / TMC_CORES) of the n rows, or of the n channels where the kernel says so; linear kernels split both.
 *     No barrier inside: whoever reads the result with another split needs one first. Row splits are alike, so that scores,
 *     softmax and values of the same rows follow each other without a barrier.
 *   - No allocation, no globals, no error return: ranges are the compiler's to prove.
 *   - Buffers lie in L1, 4-byte aligned. A pitch is the distance of two rows in bytes, a multiple of 4.
 *     The bytes between the end of a row and the next row are never written. They may be read (isa xpulp: up
 *     to the next multiple of 4 elements), and their value never matters.
 *   - Integers of at most 32 bits. R(a, s) is (a + 2^(s-1)) >> s, and a where s is 0; >> is arithmetic.
 *     C8 and C16 saturate to [-128, 127] and [-32768, 32767]. All other results fit int32 by proof.
 *   - Exactness: every kernel equals the integer op it is part of bit for bit (docs/numerics.md).
 *
 * Packed weights, `weight`: one row per output channel, `weight_pitch` bytes apart:
 *   depth int8 weights, zeros up to a multiple of 4, int32 multiplier, int32 bias, padding.
 *   The grouped kernel has int16 weights, zeros up to a multiple of 2, and the multiplier alone behind them.
 */
#ifndef TMC_KERNELS_H
#define TMC_KERNELS_H

#include <stdint.h>

#include "tmc_attention_kernels.h"

/** Arguments of all tmc_linear kernels. Fields that a kernel does not name are not read by it. */
typedef struct {
    const void *x;          /* [rows][depth] */
    const int8_t *weight;   /* [channels] packed rows */
    void *y;                /* [rows][channels], or as the kernel says */
    const int8_t *table;    /* [256], indexed by y + 128 */
    const int32_t *bias;    /* [groups][bias_channels], from the first channel of this call on */
    uint32_t x_pitch;
    uint32_t weight_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t depth;
    uint32_t channels;
    uint32_t shift;         /* 0 to 31 */
    uint32_t bias_channels; /* distance of two groups in `bias`, in elements */
    uint32_t group_rows;    /* rows that share a group of `bias`, at least 1 */
    uint32_t row0;          /* number of the first row of this call, for `bias` */
    uint32_t split;         /* log2 of the cores that share rows; 2^split is at most TMC_CORES */
    uint32_t head_channels; /* channels that lie side by side in y: all of them, or a divisor, a multiple of 4 */
} tmc_linear_args;

/* A split of rows and channels: TMC_CORES >> split groups of 2^split cores take a contiguous chunk of rows
 * each, and the cores of a group chunks of channels, multiples of 4, of these rows. */

/** Linear layer. y[r][n] = C8((sum_k x[r][k] w[n][k] * multiplier[n] + bias[n]) >> shift).
 *  Runs of head_channels channels lie one behind the other: y is [channels / head_channels][rows][head_channels].
 *  x s8, y s8. Splits rows and channels. */
void tmc_linear_s8s8s8_scalar(const tmc_linear_args *args);
void tmc_linear_s8s8s8_xpulp(const tmc_linear_args *args);

/** Linear layer and unary function. y = table[C8(...) + 128], otherwise as tmc_linear_s8s8s8.
 *  x s8, y s8. Splits rows and channels. */
void tmc_linear_table_s8s8s8_scalar(const tmc_linear_args *args);
void tmc_linear_table_s8s8s8_xpulp(const tmc_linear_args *args);

/** Linear layer, wide result. y = C16(...), otherwise as tmc_linear_s8s8s8.
 *  x s8, y s16. Splits rows and channels. */
void tmc_linear_s8s8s16_scalar(const tmc_linear_args *args);
void tmc_linear_s8s8s16_xpulp(const tmc_linear_args *args);

/** Linear layer onto a residual, in place. y = C16(y + (... >> shift)), otherwise as tmc_linear_s8s8s8.
 *  x s8, y s16: the residual before, the sum after. Splits rows and channels. */
void tmc_linear_add_s8s8s16_scalar(const tmc_linear_args *args);
void tmc_linear_add_s8s8s16_xpulp(const tmc_linear_args *args);

/** Linear layer with a transposed result: y[n][r], y_pitch between channels, otherwise as tmc_linear_s8s8s8.
 *  x s8, y [channels][rows] s8. Splits rows and channels. */
void tmc_linear_transposed_s8s8s8_scalar(const tmc_linear_args *args);
void tmc_linear_transposed_s8s8s8_xpulp(const tmc_linear_args *args);

/** The same with a unary function: y[n][r] = table[C8(...) + 128]. Splits rows and channels. */
void tmc_linear_table_transposed_s8s8s8_scalar(const tmc_linear_args *args);
void tmc_linear_table_transposed_s8s8s8_xpulp(const tmc_linear_args *args);

/** Linear layer of wide input, with a bias per group of rows.
 *  y[r][n] = C16((sum_k x[r][k] w[n][k] * multiplier[n] + bias[(row0 + r) / group_rows][n]) >> shift).
 *  x s16, y s16. Splits rows and channels. */
void tmc_linear_grouped_s16s8s16_scalar(const tmc_linear_args *args);
void tmc_linear_grouped_s16s8s16_xpulp(const tmc_linear_args *args);

/** Linear layer of wide result, not saturated: y = (...) >> shift, otherwise as tmc_linear_s8s8s8.
 *  x s8, y s32. Splits rows and channels. */
void tmc_linear_s8s8s32_scalar(const tmc_linear_args *args);
void tmc_linear_s8s8s32_xpulp(const tmc_linear_args *args);

/** Linear layer of wide input and result, not saturated: y = (...) >> shift.
 *  x s16, y s32. Splits channels. */
void tmc_linear_s16s8s32_scalar(const tmc_linear_args *args);
void tmc_linear_s16s8s32_xpulp(const tmc_linear_args *args);

/** Arguments of tmc_layernorm; scalars as in the integer op of the compiler. */
typedef struct {
    const int16_t *x;       /* [rows][channels] */
    void *y;                /* [rows][channels] */
    const int16_t *gamma;   /* [channels] */
    const int32_t *beta;    /* [channels] */
    const int32_t *epsilon; /* by the dynamic shift h, up to bits of 65535 * channels - center_bits */
    const uint16_t *rsqrt;  /* [96]: round(2^30 / sqrt((i + 32.5) 2^24)) */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    uint32_t center_bits;
    uint32_t norm_bits;
    uint32_t root;          /* below 2^16, and so that 46341 * root < 2^32 */
    uint32_t gamma_shift;
    uint32_t centred;       /* 1: deviations from the mean; 0: from zero */
    uint32_t epsilon_shift;
} tmc_layernorm_args;

/** LayerNorm of each row: integer mean, dynamic shift, reciprocal root by table and one Newton step.
 *  x s16, y s8. Splits rows. With d = channels x - sum, or d = x where not centred, g = max(0, epsilon_shift - h)
 *  and V = (sum R(d, h)^2 >> 2 g) + epsilon[h]: |d| < 2^31, V < 2^31, and 26 - norm_bits + g >= (31 - bits of V) / 2
 *  for every V that can occur. */
void tmc_layernorm_s16s8_scalar(const tmc_layernorm_args *args);
void tmc_layernorm_s16s8_xpulp(const tmc_layernorm_args *args);

/** The same with a result as NE16 reads it: codes + 128.
 *  x s16, y u8. Splits rows. */
void tmc_layernorm_s16u8_scalar(const tmc_layernorm_args *args);
void tmc_layernorm_s16u8_xpulp(const tmc_layernorm_args *args);

/** The same with a wide result, saturated to 16 bits.
 *  x s16, y s16. Splits rows. */
void tmc_layernorm_s16s16_scalar(const tmc_layernorm_args *args);
void tmc_layernorm_s16s16_xpulp(const tmc_layernorm_args *args);

/** Arguments of tmc_rope; one head. */
typedef struct {
    const int16_t *x;     /* [rows][width] */
    void *y;              /* [rows][width] */
    const int16_t *table; /* [period][width]: (cosine, sine) of each pair, times 2^14 */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t table_pitch;
    uint32_t rows;
    uint32_t width;       /* even */
    uint32_t period;
    uint32_t row0;        /* number of the first row of this call: row r takes line (row0 + r) % period */
    uint32_t shift;
    uint32_t limit;       /* of wide results, below 2^15 */
} tmc_rope_args;

/** Rotation of adjacent pairs: C8(R(a cos - b sin, shift)), C8(R(a sin + b cos, shift)).
 *  x s16, y s8. Splits rows. */
void tmc_rope_s16s8_scalar(const tmc_rope_args *args);
void tmc_rope_s16s8_xpulp(const tmc_rope_args *args);

/** The same with a result as NE16 reads it: codes + 128.
 *  x s16, y u8. Splits rows. */
void tmc_rope_s16u8_scalar(const tmc_rope_args *args);
void tmc_rope_s16u8_xpulp(const tmc_rope_args *args);

/** The same with a wide result, saturated to -limit - 1 to limit.
 *  x s16, y s16. Splits rows. */
void tmc_rope_s16s16_scalar(const tmc_rope_args *args);
void tmc_rope_s16s16_xpulp(const tmc_rope_args *args);


/** Arguments of tmc_mean_rows. */
typedef struct {
    const int8_t *x;     /* [rows][channels] */
    int16_t *y;          /* [rows / group_rows][channels] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;       /* a multiple of group_rows */
    uint32_t channels;
    uint32_t group_rows;
    int32_t multiplier;
    int32_t bias;
    uint32_t shift;
} tmc_mean_rows_args;

/** Mean of each run of group_rows rows: y[g][c] = C16((sum * multiplier + bias) >> shift).
 *  x s8, y s16. Splits channels. */
void tmc_mean_rows_s8s16_scalar(const tmc_mean_rows_args *args);
void tmc_mean_rows_s8s16_xpulp(const tmc_mean_rows_args *args);

/** Arguments of tmc_depthwise_rows. */
typedef struct {
    const int8_t *x;      /* [rows][channels] */
    const int8_t *weight; /* [channels] packed rows of depth `taps` */
    int8_t *y;            /* [rows][channels] */
    const int8_t *table;  /* [256], indexed by y + 128 */
    uint32_t x_pitch;
    uint32_t weight_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    uint32_t taps;        /* odd */
    int32_t zero_point;   /* what rows before the first and behind the last hold */
    uint32_t shift;
} tmc_depthwise_rows_args;

/** Convolution of each column: y[r][c] = C8((sum_t x[r + t - taps / 2][c] w[c][t] * multiplier[c] + bias[c]) >> shift).
 *  x s8, y s8. Splits channels. */
void tmc_depthwise_rows_s8s8_scalar(const tmc_depthwise_rows_args *args);
void tmc_depthwise_rows_s8s8_xpulp(const tmc_depthwise_rows_args *args);

/** Convolution and unary function. y = table[C8(...) + 128], otherwise as tmc_depthwise_rows_s8s8.
 *  x s8, y s8. Splits channels. */
void tmc_depthwise_rows_table_s8s8_scalar(const tmc_depthwise_rows_args *args);
void tmc_depthwise_rows_table_s8s8_xpulp(const tmc_depthwise_rows_args *args);

/** Arguments of tmc_interpolate_rows. */
typedef struct {
    const int16_t *x;     /* [x_rows][channels] */
    const int16_t *table; /* [rows] pairs: row before, at most x_rows - 2; weight of the row behind it, 0 to 2^14 */
    int16_t *y;           /* [rows][channels] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t x_rows;
    uint32_t rows;
    uint32_t channels;
} tmc_interpolate_rows_args;

/** Weighted mean of two rows: y[t][c] = R(x[i][c] * (2^14 - w) + x[i + 1][c] * w, 14), (i, w) = table[t].
 *  x s16, y s16. y_pitch may be any multiple of 2. Splits rows. */
void tmc_interpolate_rows_s16s16_scalar(const tmc_interpolate_rows_args *args);
void tmc_interpolate_rows_s16s16_xpulp(const tmc_interpolate_rows_args *args);

/** The same, stored by columns: y[c][t], y_pitch the distance of two channels, any multiple of 2.
 *  x s16, y s16. Splits rows. */
void tmc_interpolate_rows_transposed_s16s16_scalar(const tmc_interpolate_rows_args *args);
void tmc_interpolate_rows_transposed_s16s16_xpulp(const tmc_interpolate_rows_args *args);

#include "tmc_element_kernels.h"
#include "tmc_epilogue_kernels.h"
#include "tmc_move_kernels.h"
#include "tmc_product_kernels.h"
#include "tmc_reduction_kernels.h"

#endif
