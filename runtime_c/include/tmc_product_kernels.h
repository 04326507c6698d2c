/* Kernels of products of computed matrices; tmc_kernels.h has the rules for all kernels. */
#ifndef TMC_PRODUCT_KERNELS_H
#define TMC_PRODUCT_KERNELS_H

#include <stdint.h>

/** Arguments of tmc_matmul. */
typedef struct {
    const int8_t *x;      /* [rows][depth] */
    const int8_t *z;      /* [z_rows][depth] */
    void *y;              /* [rows][z_rows] of int8 or int16 */
    uint32_t x_pitch;
    uint32_t z_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t z_rows;
    uint32_t depth;       /* 1 to 16384 */
    int32_t x_zero_point; /* -128 to 127 */
    int32_t z_zero_point; /* -128 to 127 */
    uint32_t narrowing;
    int32_t multiplier;
    int32_t bias;
    uint32_t shift;
} tmc_matmul_args;

/** Product of each row of x with each row of z: y[r][c] = C((R(sum, narrowing) * multiplier + bias) >> shift), sum that
 *  over k of (x[r][k] - x_zero_point) * (z[c][k] - z_zero_point). x s8, z s8, y s8. The
 *  cores share rows of x, or those of z, the channels, where these are more. Splits rows and channels. */
void tmc_matmul_s8s8s8_scalar(const tmc_matmul_args *args);
void tmc_matmul_s8s8s8_xpulp(const tmc_matmul_args *args);

/** The same. x s8, z s8, y s16. Splits rows and channels. */
void tmc_matmul_s8s8s16_scalar(const tmc_matmul_args *args);
void tmc_matmul_s8s8s16_xpulp(const tmc_matmul_args *args);

#endif
