/* Kernels that make one element of many; tmc_kernels.h has the rules for all kernels. */
#ifndef TMC_REDUCTION_KERNELS_H
#define TMC_REDUCTION_KERNELS_H

#include <stdint.h>

/** Arguments of tmc_max_rows. */
typedef struct {
    const void *x;       /* [rows][channels] of int8, int16 or int32 */
    void *y;             /* [rows / group_rows][channels] of the same */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;       /* a multiple of group_rows */
    uint32_t channels;
    uint32_t group_rows;
} tmc_max_rows_args;

/** The largest of each run of group_rows rows, column by column. x s8, y s8. Splits channels. */
void tmc_max_rows_s8s8_scalar(const tmc_max_rows_args *args);
void tmc_max_rows_s8s8_xpulp(const tmc_max_rows_args *args);

/** The same. x s16, y s16. Splits channels. */
void tmc_max_rows_s16s16_scalar(const tmc_max_rows_args *args);
void tmc_max_rows_s16s16_xpulp(const tmc_max_rows_args *args);

/** The same. x s32, y s32. Splits channels. */
void tmc_max_rows_s32s32_scalar(const tmc_max_rows_args *args);
void tmc_max_rows_s32s32_xpulp(const tmc_max_rows_args *args);

/** Arguments of tmc_argmax_columns. */
typedef struct {
    const void *x;       /* [rows][x_channels] of int8 or int16 */
    void *y;             /* [rows][1] of int32 */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t x_channels; /* 1 or more */
} tmc_argmax_columns_args;

/** The column of the largest of each row, the first of equal ones. x s8, y s32. Splits rows. */
void tmc_argmax_columns_s8s32_scalar(const tmc_argmax_columns_args *args);
void tmc_argmax_columns_s8s32_xpulp(const tmc_argmax_columns_args *args);

/** The same. x s16, y s32. Splits rows. */
void tmc_argmax_columns_s16s32_scalar(const tmc_argmax_columns_args *args);
void tmc_argmax_columns_s16s32_xpulp(const tmc_argmax_columns_args *args);

/** Arguments of tmc_softmax. */
typedef struct {
    const void *x;       /* [rows][channels] of int16 */
    void *y;             /* [rows][channels] of int16, apart from x */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;   /* 1 to 32768 */
    int32_t limit;       /* 1 to 65535 */
    int32_t multiplier;  /* limit * multiplier fits int32 */
    uint32_t shift;
} tmc_softmax_args;

/** Softmax of each row in steps of 2^-15. u = R(min(largest - x[r][c], limit) * multiplier, shift) is the exponent of
 *  2 below the largest, in steps of 2^-15; e[c] = 2^15 2^-u; y[r][c] = C16(e[c] 2^15 / sum of e). x s16, y s16.
 *  Splits rows. */
void tmc_softmax_s16s16_scalar(const tmc_softmax_args *args);
void tmc_softmax_s16s16_xpulp(const tmc_softmax_args *args);

#endif
