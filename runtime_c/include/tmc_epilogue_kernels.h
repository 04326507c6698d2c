/* Kernels that finish on the cores a tile of results of NE16; tmc_kernels.h has the rules for all kernels. */
#ifndef TMC_EPILOGUE_KERNELS_H
#define TMC_EPILOGUE_KERNELS_H

#include <stdint.h>

/** Arguments of all tmc_epilogue kernels. Fields that a kernel does not name are not read by it. */
typedef struct {
    const void *x;       /* [rows][channels] */
    void *y;             /* [rows][channels], or as the kernel says */
    const int8_t *table; /* [256], indexed by x + 128 */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
    uint32_t split;      /* as of tmc_linear_args */
} tmc_epilogue_args;

/** Unary function: y[r][c] = table[x[r][c] + 128]. y may be x, of the same pitch.
 *  x s8, y s8. Splits rows and channels. */
void tmc_epilogue_table_s8s8_scalar(const tmc_epilogue_args *args);
void tmc_epilogue_table_s8s8_xpulp(const tmc_epilogue_args *args);

/** Onto a residual, in place: y[r][c] = C16(y[r][c] + x[r][c]), for any x.
 *  x s32, y s16: the residual before, the sum after. Splits rows and channels. */
void tmc_epilogue_add_s32s16_scalar(const tmc_epilogue_args *args);
void tmc_epilogue_add_s32s16_xpulp(const tmc_epilogue_args *args);

/** Wide result: y[r][c] = C16(x[r][c]).
 *  x s32, y s16. Splits rows and channels. */
void tmc_epilogue_s32s16_scalar(const tmc_epilogue_args *args);
void tmc_epilogue_s32s16_xpulp(const tmc_epilogue_args *args);

/** Transposed result: y[c][r] = x[r][c], y_pitch between channels.
 *  x s8, y [channels][rows] s8. Splits channels. */
void tmc_epilogue_transposed_s8s8_scalar(const tmc_epilogue_args *args);
void tmc_epilogue_transposed_s8s8_xpulp(const tmc_epilogue_args *args);

#endif
