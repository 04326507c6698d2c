/* A job of NE16: what its registers say, the memory it takes, and its arithmetic. */
#ifndef TMC_ISS_NE16_JOB_H
#define TMC_ISS_NE16_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "hart.h"

/*
 * An image of lines x columns pixels, `depth` unsigned bytes each, to as many pixels of `channels` sums of products.
 * A tensor's pixel is at address + line * line_stride + column * pixel_stride.
 */
typedef struct Tensor {
    uint32_t address;
    uint32_t pixel_stride;
    uint32_t line_stride;
} Tensor;

typedef struct Ne16Job {
    Tensor input, output;
    uint32_t weights;     /* Per channel and 16 inputs a run of 16 bits for each bit of the weights, lowest first. */
    uint32_t multipliers; /* Per channel, 1 or 4 bytes, unsigned. */
    uint32_t shifts;      /* Per channel, 1 byte, if there is one for each. */
    uint32_t biases;      /* Per channel, 4 bytes. */
    uint32_t lines, columns, depth, channels;
    unsigned weight_bits;
    int32_t weight_offset; /* Added to every weight. */
    unsigned shift;
    bool requantise;        /* Else the sums themselves are stored. */
    bool preload;           /* Sums begin with what is in the output. */
    bool wide_multipliers;  /* Of 4 bytes. */
    bool shift_per_channel;
    bool wide_output;       /* 4 bytes, not saturated; else 1. */
    bool signed_output;
} Ne16Job;

/* Read the registers of a job. Traps at what the model does not know, and at what hardware does not forgive. */
Ne16Job ne16_job_of(const Hart *hart, const uint32_t *words);

/*
 * Hold all that a job reads and writes. Traps if it is not inside L1, is held by a transfer, or is raced for. It may
 * write what the job `before`, which still runs, reads or writes; null if there is none.
 */
void ne16_job_start(Hart *hart, const Ne16Job *job, const Ne16Job *before);

/* Compute, and release what was held but by the job `behind`, if any; `hart` is the one that has seen the end. */
void ne16_job_finish(Hart *hart, const Ne16Job *job, const Ne16Job *behind);

/* The arithmetic alone, on the contents of L1. Traps where sums leave 32 bits. */
void ne16_job_compute(const Hart *hart, const Ne16Job *job);

#endif
