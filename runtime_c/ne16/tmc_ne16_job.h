/* Registers of NE16 and how a linear layer is described in them. */
#ifndef TMC_NE16_JOB_H
#define TMC_NE16_JOB_H

#include "tmc_ne16.h"

/* As a core of the cluster sees it. */
#define TMC_NE16_ADDRESS 0x00201000u
#define TMC_NE16_TRIGGER 0x00u
#define TMC_NE16_ACQUIRE 0x04u /* read: a job's number, negative while both contexts are in use */
#define TMC_NE16_STATUS 0x0Cu  /* read: bits 0 and 8 are 1 while a context is in use */
#define TMC_NE16_JOB 0x20u     /* the words of the acquired job */

/* Fields of the last of these words. */
#define TMC_NE16_WEIGHTS_8_BITS 7u
#define TMC_NE16_REQUANTISE (1u << 4)
#define TMC_NE16_1X1 (2u << 5)
#define TMC_NE16_WEIGHT_OFFSET (1u << 15)
#define TMC_NE16_SHIFT(shift) ((shift) << 16)
#define TMC_NE16_OUTPUT_32_BITS (2u << 21)
#define TMC_NE16_OUTPUT_SIGNED (1u << 23)
#define TMC_NE16_BIAS (1u << 25)

static inline volatile uint32_t *tmc_ne16_register(uint32_t offset)
{
    return (volatile uint32_t *)(uintptr_t)(TMC_NE16_ADDRESS + offset);
}

/** Start a linear layer and return the number of its job; `results` are the bits of the configuration that say how
 *  they are stored. */
uint32_t tmc_ne16_start_linear(const tmc_ne16_linear_args *args, uint32_t results);

#endif
