/* Kernels for NE16, the accelerator of the cluster: tmc_<op>_<types>_ne16.
 *
 * One core calls all of them. A kernel waits until one of the accelerator's two contexts is free, describes the job
 * there, starts it, and returns the job's number while it runs: jobs run one after the other, in the order of the
 * calls. Until tmc_ne16_wait of its number, what a job reads must not change and what it writes must not be touched,
 * by later jobs neither.
 *
 * Rules for all of them
 *   - All buffers lie in L1, 4-byte aligned. A pitch is the distance of two rows in bytes, a multiple of 4.
 *   - Inputs and weights are what they are with 128 added: NE16 has no signed inputs.
 *   - The accelerator takes rows three at a time. Of three rows or more that are no multiple of three, the rows up to
 *     the next multiple are read too, and their results written: both buffers have room for them. Nothing else
 *     outside of [rows][depth] and [rows][channels] is read or written.
 *   - >> is arithmetic, and rounds down. U8 saturates to [0, 255], C8 to [-128, 127]. Sums, products and all other
 *     results fit int32 by proof.
 *
 * Packed weights, `weight`: of every channel, of every 16 inputs, bit 0 of the 16 weights in 2 bytes, the first weight
 * in the lowest bit; then bit 1, up to bit 7. A channel's inputs are filled up to a multiple of 16 with anything.
 */
#ifndef TMC_NE16_H
#define TMC_NE16_H

#include <stdint.h>

/** Arguments of all kernels. The sizes of `multiplier` and `bias` in memory are multiples of 32 channels. */
typedef struct {
    const uint8_t *x;          /* [rows][depth] */
    const uint8_t *weight;     /* [channels] packed */
    const uint8_t *multiplier; /* [channels] */
    const int32_t *bias;       /* [channels] */
    void *y;                   /* [rows][channels] */
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t depth;
    uint32_t channels;
    uint32_t shift;            /* 0 to 31 */
} tmc_ne16_linear_args;

/** Linear layer. y[r][n] = U8((sum_k x[r][k] (weight[n][k] - 128) * multiplier[n] + bias[n]) >> shift). y u8. */
uint32_t tmc_linear_u8s8u8_ne16(const tmc_ne16_linear_args *args);

/** The same with signed results: C8 in place of U8. y s8. */
uint32_t tmc_linear_u8s8s8_ne16(const tmc_ne16_linear_args *args);

/** The same with wide results, not saturated. y s32. */
uint32_t tmc_linear_u8s8s32_ne16(const tmc_ne16_linear_args *args);

/** Return when a job, and all before it, have ended. */
void tmc_ne16_wait(uint32_t job);

#endif
