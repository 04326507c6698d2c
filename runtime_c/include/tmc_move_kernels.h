/* Kernels that move elements and leave them as they are; tmc_kernels.h has the rules for all kernels.
 *
 * Where a structure says step_bytes, operands need be no more aligned than that: 1, 2 or 4 bytes.
 */
#ifndef TMC_MOVE_KERNELS_H
#define TMC_MOVE_KERNELS_H

#include <stdint.h>

/** Arguments of tmc_permute_rows. */
typedef struct {
    const int8_t *x;    /* [rows][row_bytes] */
    int8_t *y;          /* [rows][row_bytes] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;      /* a multiple of groups */
    uint32_t row_bytes;
    uint32_t groups;
} tmc_permute_rows_args;

/** Interleave runs of rows, whatever their elements: row c P + p of x, P = rows / groups, is row p groups + c of y.
 *  x s8, y s8. Splits rows. */
void tmc_permute_rows_s8s8_scalar(const tmc_permute_rows_args *args);
void tmc_permute_rows_s8s8_xpulp(const tmc_permute_rows_args *args);

/** Arguments of tmc_copy_rows. */
typedef struct {
    const int8_t *x;     /* [rows][row_bytes] */
    int8_t *y;           /* [rows][row_bytes] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t row_bytes;
    uint32_t step_bytes; /* 1, 2 or 4: addresses and pitches are multiples of it, and need be of no more */
} tmc_copy_rows_args;

/** Copy rows, whatever their elements. x s8, y s8. Splits rows. Isa xpulp: fewer rows than cores are split
 *  by bytes. */
void tmc_copy_rows_s8s8_scalar(const tmc_copy_rows_args *args);
void tmc_copy_rows_s8s8_xpulp(const tmc_copy_rows_args *args);

/** Arguments of tmc_gather_rows. */
typedef struct {
    const int8_t *x;       /* [x_rows][row_bytes] */
    const uint16_t *table; /* [rows], at a multiple of 2: numbers of rows, from `first` to first + x_rows - 1 */
    int8_t *y;             /* [rows][row_bytes] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t x_rows;
    uint32_t rows;
    uint32_t row_bytes;
    uint32_t first;        /* number of the first row of x */
    uint32_t step_bytes;   /* as of tmc_copy_rows */
} tmc_gather_rows_args;

/** Copy rows in any order: row r of y is row table[r] - first of x, whatever their elements. x s8, y s8.
 *  Splits rows. Isa xpulp: fewer rows than cores are split by bytes. */
void tmc_gather_rows_s8s8_scalar(const tmc_gather_rows_args *args);
void tmc_gather_rows_s8s8_xpulp(const tmc_gather_rows_args *args);

/** Arguments of all tmc_gather_columns kernels. Pitches are multiples of an element's bytes. */
typedef struct {
    const void *x;         /* [rows][x_channels] */
    const uint16_t *table; /* [channels], below x_channels */
    void *y;               /* [rows][channels] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t x_channels;
    uint32_t channels;
} tmc_gather_columns_args;

/** Copy columns in any order: y[r][c] = x[r][table[c]]. x s8, y s8. Splits rows. */
void tmc_gather_columns_s8s8_scalar(const tmc_gather_columns_args *args);
void tmc_gather_columns_s8s8_xpulp(const tmc_gather_columns_args *args);

/** The same, x s16, y s16. Splits rows. */
void tmc_gather_columns_s16s16_scalar(const tmc_gather_columns_args *args);
void tmc_gather_columns_s16s16_xpulp(const tmc_gather_columns_args *args);

/** The same, x s32, y s32. Splits rows. */
void tmc_gather_columns_s32s32_scalar(const tmc_gather_columns_args *args);
void tmc_gather_columns_s32s32_xpulp(const tmc_gather_columns_args *args);

/** Arguments of all tmc_transpose kernels. Pitches are multiples of an element's bytes. */
typedef struct {
    const void *x; /* [rows][channels] */
    void *y;       /* [channels][rows] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
} tmc_transpose_args;

/** Make rows of columns: y[c][r] = x[r][c]. x s8, y s8. Splits channels. Isa xpulp: of fewer channels than
 *  cores, rows are split. */
void tmc_transpose_s8s8_scalar(const tmc_transpose_args *args);
void tmc_transpose_s8s8_xpulp(const tmc_transpose_args *args);

/** The same, x s16, y s16. Splits channels. */
void tmc_transpose_s16s16_scalar(const tmc_transpose_args *args);
void tmc_transpose_s16s16_xpulp(const tmc_transpose_args *args);

/** The same, x s32, y s32. Splits channels. */
void tmc_transpose_s32s32_scalar(const tmc_transpose_args *args);
void tmc_transpose_s32s32_xpulp(const tmc_transpose_args *args);

#endif
