/* Kernels that work element by element; tmc_kernels.h has the rules for all kernels. */
#ifndef TMC_ELEMENT_KERNELS_H
#define TMC_ELEMENT_KERNELS_H

#include <stdint.h>

/** How one channel is requantised: addend = high 2^32 + low, with 2^(shift - 1) in it. */
typedef struct {
    int32_t multiplier;
    uint32_t shift;      /* 1 to 62 */
    int32_t addend_high;
    uint32_t addend_low;
} tmc_factors;

/** Arguments of tmc_requantise of s32 and of s8. */
typedef struct {
    const void *x;              /* [rows][channels], s32 or s8 */
    const tmc_factors *factors; /* [channels] */
    const int8_t *table;        /* [256] */
    int8_t *y;                  /* [rows][channels] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    int32_t zero_point;
    uint32_t ties_to_even;      /* 1; 0: ties go up */
} tmc_requantise_args;

/** t = x[r][c] * multiplier + addend, in 64 bits; v = t >> shift, which must fit 32, and one less where
 *  ties_to_even, t is a multiple of 2^shift and v is odd; y[r][c] = table[C8(v + zero_point) + 128].
 *  Splits rows. */
void tmc_requantise_s32s8_scalar(const tmc_requantise_args *args);
void tmc_requantise_s32s8_xpulp(const tmc_requantise_args *args);
void tmc_requantise_s8s8_scalar(const tmc_requantise_args *args);
void tmc_requantise_s8s8_xpulp(const tmc_requantise_args *args);

/** Arguments of all tmc_clip kernels. */
typedef struct {
    const void *x;        /* [rows][channels] */
    const void *low;      /* [groups][channels], of the type of x */
    const void *high;     /* [groups][channels], of the type of x */
    void *y;              /* [rows][channels], of the type of x */
    uint32_t x_pitch;
    uint32_t limit_pitch; /* of low and of high */
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    uint32_t row0;        /* number of the first row of this call, for low and high */
    uint32_t group_rows;  /* rows that share a line of low and of high, at least 1 */
} tmc_clip_args;

/** Clip: y[r][c] = min(max(x[r][c], low[g][c]), high[g][c]), g = (row0 + r) / group_rows. Splits rows. */
void tmc_clip_s8s8_scalar(const tmc_clip_args *args);
void tmc_clip_s8s8_xpulp(const tmc_clip_args *args);
void tmc_clip_s16s16_scalar(const tmc_clip_args *args);
void tmc_clip_s16s16_xpulp(const tmc_clip_args *args);
void tmc_clip_s32s32_scalar(const tmc_clip_args *args);
void tmc_clip_s32s32_xpulp(const tmc_clip_args *args);

/** Clip and residual: y[r][c] = C16(y[r][c] + min(max(...))), otherwise as tmc_clip_s16s16. Splits rows. */
void tmc_clip_add_s16s16_scalar(const tmc_clip_args *args);
void tmc_clip_add_s16s16_xpulp(const tmc_clip_args *args);

/** Arguments of all tmc_convert kernels. */
typedef struct {
    const void *x; /* [rows][channels] */
    void *y;       /* [rows][channels] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    int32_t multiplier;
    int32_t bias;
    uint32_t shift; /* 0 to 31 */
} tmc_convert_args;

/** From one scale to another: y[r][c] = C((x[r][c] * multiplier + bias) >> shift), C8 or C16 by the type of y.
 *  Splits rows. */
void tmc_convert_s8s8_scalar(const tmc_convert_args *args);
void tmc_convert_s8s8_xpulp(const tmc_convert_args *args);
void tmc_convert_s8s16_scalar(const tmc_convert_args *args);
void tmc_convert_s8s16_xpulp(const tmc_convert_args *args);
void tmc_convert_s16s8_scalar(const tmc_convert_args *args);
void tmc_convert_s16s8_xpulp(const tmc_convert_args *args);
void tmc_convert_s16s16_scalar(const tmc_convert_args *args);
void tmc_convert_s16s16_xpulp(const tmc_convert_args *args);

/** Arguments of all tmc_add kernels. */
typedef struct {
    const void *x;    /* [rows][channels] */
    const void *z;    /* [rows][channels] */
    void *y;          /* [rows][channels] */
    uint32_t x_pitch;
    uint32_t z_pitch; /* 0: one row of z for all */
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    int32_t x_multiplier;
    int32_t z_multiplier;
    int32_t bias;
    uint32_t shift;   /* 0 to 31 */
} tmc_add_args;

/** Sum, or difference, of values of two scales; <types> are x, z, y:
 *  y[r][c] = C((x[r][c] * x_multiplier + z[r][c] * z_multiplier + bias) >> shift), C8 or C16 by the type of y.
 *  Splits rows. */
void tmc_add_s8s8s8_scalar(const tmc_add_args *args);
void tmc_add_s8s8s8_xpulp(const tmc_add_args *args);
void tmc_add_s8s8s16_scalar(const tmc_add_args *args);
void tmc_add_s8s8s16_xpulp(const tmc_add_args *args);
void tmc_add_s8s16s8_scalar(const tmc_add_args *args);
void tmc_add_s8s16s8_xpulp(const tmc_add_args *args);
void tmc_add_s8s16s16_scalar(const tmc_add_args *args);
void tmc_add_s8s16s16_xpulp(const tmc_add_args *args);
void tmc_add_s16s8s8_scalar(const tmc_add_args *args);
void tmc_add_s16s8s8_xpulp(const tmc_add_args *args);
void tmc_add_s16s8s16_scalar(const tmc_add_args *args);
void tmc_add_s16s8s16_xpulp(const tmc_add_args *args);
void tmc_add_s16s16s8_scalar(const tmc_add_args *args);
void tmc_add_s16s16s8_xpulp(const tmc_add_args *args);
void tmc_add_s16s16s16_scalar(const tmc_add_args *args);
void tmc_add_s16s16s16_xpulp(const tmc_add_args *args);

/** Arguments of all tmc_mul kernels. */
typedef struct {
    const void *x;    /* [rows][channels] */
    const void *z;    /* [rows][channels] */
    void *y;          /* [rows][channels] */
    uint32_t x_pitch;
    uint32_t z_pitch; /* 0: one row of z for all */
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    int32_t x_zero_point; /* 0 of s16 */
    int32_t z_zero_point; /* 0 of s16 */
    int32_t multiplier;
    int32_t bias;
    uint32_t shift;   /* 0 to 31 */
} tmc_mul_args;

/** Product of values of two scales; <types> are x, z, y: p = R((x[r][c] - x_zero_point) * (z[r][c] - z_zero_point), n),
 *  n = 0, 8 or 15 where none, one or both of x and z are s16;
 *  y[r][c] = C((p * multiplier + bias) >> shift), C8 or C16 by the type of y. Splits rows. */
void tmc_mul_s8s8s8_scalar(const tmc_mul_args *args);
void tmc_mul_s8s8s8_xpulp(const tmc_mul_args *args);
void tmc_mul_s8s8s16_scalar(const tmc_mul_args *args);
void tmc_mul_s8s8s16_xpulp(const tmc_mul_args *args);
void tmc_mul_s8s16s8_scalar(const tmc_mul_args *args);
void tmc_mul_s8s16s8_xpulp(const tmc_mul_args *args);
void tmc_mul_s8s16s16_scalar(const tmc_mul_args *args);
void tmc_mul_s8s16s16_xpulp(const tmc_mul_args *args);
void tmc_mul_s16s8s8_scalar(const tmc_mul_args *args);
void tmc_mul_s16s8s8_xpulp(const tmc_mul_args *args);
void tmc_mul_s16s8s16_scalar(const tmc_mul_args *args);
void tmc_mul_s16s8s16_xpulp(const tmc_mul_args *args);
void tmc_mul_s16s16s8_scalar(const tmc_mul_args *args);
void tmc_mul_s16s16s8_xpulp(const tmc_mul_args *args);
void tmc_mul_s16s16s16_scalar(const tmc_mul_args *args);
void tmc_mul_s16s16s16_xpulp(const tmc_mul_args *args);

#endif
