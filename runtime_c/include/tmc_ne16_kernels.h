/* Kernels of networks for a cluster with NE16, the accelerator: tmc_kernels.h has the rules for all kernels.
 *
 * NE16 has no signed inputs: what it reads are codes + 128, unsigned. Linears on it are jobs (tmc_jobs.h): core 0
 * starts and awaits them, and no core calls their kernels itself. The isa `ne16` of a job's kernel describes the job to
 * the accelerator and returns; the isa `scalar` computes all of it.
 *
 * Packed weights, `weight`, of weights + 128: of every channel, of every 16 inputs, bit 0 of the 16 in 2 bytes, the
 * first one in the lowest bit; then bit 1, up to bit 7. A channel's inputs are filled up to a multiple of 16 with
 * anything.
 */
#ifndef TMC_NE16_KERNELS_H
#define TMC_NE16_KERNELS_H

#include "tmc_ne16_attention_kernels.h"

/* On a host there is no accelerator, whatever else is written out in C. */
#if defined(TMC_ISA_XPULP) && defined(__riscv)
#define TMC_JOB(name) name##_ne16
#else
#define TMC_JOB(name) name##_scalar
#endif

#define tmc_linear_u8s8s8 TMC_JOB(tmc_linear_u8s8s8)
#define tmc_linear_u8s8s32 TMC_JOB(tmc_linear_u8s8s32)
#define tmc_convert_s8u8 TMC_KERNEL(tmc_convert_s8u8)
#define tmc_attention_pack_s8u8 TMC_KERNEL(tmc_attention_pack_s8u8)
#define tmc_attention_softmax_s32u8 TMC_KERNEL(tmc_attention_softmax_s32u8)
#define tmc_attention_divide_s32s8 TMC_KERNEL(tmc_attention_divide_s32s8)

/** Arguments of the linear kernels. `multiplier` and `bias` may be read up to 31 channels behind those of the call;
 *  what is read there does not matter. */
typedef struct {
    const uint8_t *x;          /* [rows][depth] */
    const uint8_t *weight;     /* [channels] packed, one behind the other */
    const uint8_t *multiplier; /* [channels] */
    const int32_t *bias;       /* [channels] */
    void *y;                   /* [rows][channels], or as the kernel says */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t depth;
    uint32_t channels;
    uint32_t shift;            /* 0 to 31 */
    uint32_t head_channels;    /* channels that lie side by side in y: all of them, or a divisor, a multiple of 4 */
} tmc_ne16_linear_args;

/** Linear layer of codes + 128. y[r][n] = C8((sum_k x[r][k] w[n][k] * multiplier[n] + bias[n]) >> shift).
 *  Runs of head_channels channels lie one behind the other: y is [channels / head_channels][rows][head_channels].
 *  x u8, y s8. A job. */
void tmc_linear_u8s8s8_scalar(const tmc_ne16_linear_args *args);
void tmc_linear_u8s8s8_ne16(const tmc_ne16_linear_args *args);

/** The same without clip: y = (sum_k x[r][k] w[n][k] * multiplier[n] + bias[n]) >> shift. x u8, y s32. A job. */
void tmc_linear_u8s8s32_scalar(const tmc_ne16_linear_args *args);
void tmc_linear_u8s8s32_ne16(const tmc_ne16_linear_args *args);

/** Arguments of tmc_convert_s8u8. */
typedef struct {
    const int8_t *x; /* [rows][channels] */
    uint8_t *y;      /* [rows][channels] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t channels;
} tmc_offset_args;

/** Codes as NE16 reads them. y[r][c] = x[r][c] + 128. Splits rows. */
void tmc_convert_s8u8_scalar(const tmc_offset_args *args);
void tmc_convert_s8u8_xpulp(const tmc_offset_args *args);

#endif
