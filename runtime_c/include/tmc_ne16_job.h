/* Jobs of NE16: its registers, and how a linear layer is described in them. For one core of the cluster. */
#ifndef TMC_NE16_JOB_H
#define TMC_NE16_JOB_H

#include <stdint.h>

/* As a core of the cluster sees it. */
#define TMC_NE16_ADDRESS 0x00201000u
#define TMC_NE16_TRIGGER 0x00u
#define TMC_NE16_ACQUIRE 0x04u /* read: a job's number, negative while both contexts are in use */
#define TMC_NE16_STATUS 0x0Cu  /* read: a byte for each context, 1 from the trigger of its job to the job's end */
#define TMC_NE16_CLEAR 0x14u   /* write: forget all jobs; contexts and numbers begin with 0 again */
#define TMC_NE16_JOB 0x20u     /* the words of the acquired job */

/* Jobs take the contexts in turn, the first of number 0; numbers have 8 bits. So it is in the public source of the
 * controller of such accelerators (pulp-platform/hwpe-ctrl, rtl/hwpe_ctrl_slave.sv and hwpe_ctrl_regfile.sv); of NE16
 * nobody has tried it here on silicon. The number of the job that runs is no help: simulators and that source differ
 * in it. */
#define TMC_NE16_CONTEXTS 2u
#define TMC_NE16_NUMBERS 256u

/* Words of a job; of two halves the upper one is named first. */
enum {
    TMC_NE16_WEIGHTS,
    TMC_NE16_INPUT,
    TMC_NE16_OUTPUT,
    TMC_NE16_MULTIPLIERS,
    TMC_NE16_SHIFTS,
    TMC_NE16_BIASES,
    TMC_NE16_INPUT_PIXEL_STRIDE,
    TMC_NE16_INPUT_LINE_STRIDE,
    TMC_NE16_INPUT_BLOCK_STRIDE,
    TMC_NE16_OUTPUT_RUN_STRIDE,
    TMC_NE16_OUTPUT_PIXEL_STRIDE,
    TMC_NE16_OUTPUT_LINE_STRIDE,
    TMC_NE16_WEIGHTS_GROUP_STRIDE,
    TMC_NE16_WEIGHTS_CHANNEL_STRIDE,
    TMC_NE16_WEIGHTS_BLOCK_STRIDE,
    TMC_NE16_LAST_CHANNELS_INPUTS, /* sizes of the last groups */
    TMC_NE16_LAST_OUTPUT_LINES_COLUMNS,
    TMC_NE16_LAST_INPUT_LINES_COLUMNS,
    TMC_NE16_GROUPS_CHANNELS_INPUTS,
    TMC_NE16_GROUPS_LINES_COLUMNS,
    TMC_NE16_PADDING,
    TMC_NE16_WEIGHT_OFFSET,
    TMC_NE16_FILTER_MASK,
    TMC_NE16_CONFIGURATION
};

/* Fields of the last of them. */
#define TMC_NE16_WEIGHTS_8_BITS 7u
#define TMC_NE16_REQUANTISE (1u << 4)
#define TMC_NE16_1X1 (2u << 5)
#define TMC_NE16_OFFSET_WEIGHTS (1u << 15)
#define TMC_NE16_SHIFT(shift) ((shift) << 16)
#define TMC_NE16_OUTPUT_32_BITS (2u << 21)
#define TMC_NE16_OUTPUT_SIGNED (1u << 23)
#define TMC_NE16_BIAS (1u << 25)

#define TMC_NE16_SIDE 3u             /* lines and columns of a group of pixels */
#define TMC_NE16_GROUP_CHANNELS 32u
#define TMC_NE16_GROUP_INPUTS 16u
#define TMC_NE16_RUN_BYTES 32u       /* of results of 4 bytes, which are stored 8 at a time */
#define TMC_NE16_WEIGHT_BYTES 16u    /* of a group of inputs: 8 bits of 16 weights */
#define TMC_NE16_ZERO_WEIGHT 128u

/** A linear layer of rows of unsigned bytes; the operands as tmc_ne16_kernels.h describes them. */
typedef struct {
    const uint8_t *x;
    const uint8_t *weight;
    const uint8_t *multiplier;
    const int32_t *bias;
    uint8_t *y;
    uint32_t x_pitch;
    uint32_t y_pitch;
    uint32_t rows;
    uint32_t depth;
    uint32_t channels;
    uint32_t shift;
    uint32_t results; /* bits of the configuration that say how results are stored; 0: u8 */
} tmc_ne16_layer;

/** The number of the job that was acquired last; each platform has it, for core 0. */
extern uint32_t tmc_ne16_last;

static inline volatile uint32_t *tmc_ne16_register(uint32_t offset)
{
    return (volatile uint32_t *)(uintptr_t)(TMC_NE16_ADDRESS + offset);
}

static inline uint32_t tmc_ne16_groups(uint32_t size, uint32_t group)
{
    return (size + group - 1u) / group;
}

/** Return a third, rounded down, of up to 98,303: 3 * 43691 is 2^17 + 1. A division takes the core 35 cycles. */
static inline uint32_t tmc_ne16_third(uint32_t size)
{
    return size * 43691u >> 17;
}

static inline uint32_t tmc_ne16_word(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

/** Start the rows of an image of `lines` lines and `columns` columns, 1 to 3, from a row of the layer on. */
static inline void tmc_ne16_start_image(const tmc_ne16_layer *layer, uint32_t row, uint32_t lines, uint32_t columns)
{
    const uint32_t line_groups = tmc_ne16_third(lines + TMC_NE16_SIDE - 1u);
    const uint32_t channel_groups = tmc_ne16_groups(layer->channels, TMC_NE16_GROUP_CHANNELS);
    const uint32_t input_groups = tmc_ne16_groups(layer->depth, TMC_NE16_GROUP_INPUTS);
    const uint32_t last_channels = layer->channels - (channel_groups - 1u) * TMC_NE16_GROUP_CHANNELS;
    const uint32_t last_inputs = layer->depth - (input_groups - 1u) * TMC_NE16_GROUP_INPUTS;
    const uint32_t last_pixels = (lines - (line_groups - 1u) * TMC_NE16_SIDE) << 16 | columns;
    volatile uint32_t *const job = tmc_ne16_register(TMC_NE16_JOB);
    uint32_t number;
    do
        number = *tmc_ne16_register(TMC_NE16_ACQUIRE);
    while ((int32_t)number < 0);
    tmc_ne16_last = number;
    job[TMC_NE16_WEIGHTS] = tmc_ne16_word(layer->weight);
    job[TMC_NE16_INPUT] = tmc_ne16_word(layer->x + row * layer->x_pitch);
    job[TMC_NE16_OUTPUT] = tmc_ne16_word(layer->y + row * layer->y_pitch);
    job[TMC_NE16_MULTIPLIERS] = tmc_ne16_word(layer->multiplier);
    job[TMC_NE16_SHIFTS] = 0;
    job[TMC_NE16_BIASES] = tmc_ne16_word(layer->bias);
    job[TMC_NE16_INPUT_PIXEL_STRIDE] = layer->x_pitch;
    job[TMC_NE16_INPUT_LINE_STRIDE] = columns * layer->x_pitch;
    job[TMC_NE16_INPUT_BLOCK_STRIDE] = 0;
    job[TMC_NE16_OUTPUT_RUN_STRIDE] = TMC_NE16_RUN_BYTES;
    job[TMC_NE16_OUTPUT_PIXEL_STRIDE] = layer->y_pitch;
    job[TMC_NE16_OUTPUT_LINE_STRIDE] = columns * layer->y_pitch;
    job[TMC_NE16_WEIGHTS_GROUP_STRIDE] = TMC_NE16_WEIGHT_BYTES;
    job[TMC_NE16_WEIGHTS_CHANNEL_STRIDE] = input_groups * TMC_NE16_WEIGHT_BYTES;
    job[TMC_NE16_WEIGHTS_BLOCK_STRIDE] = 0;
    job[TMC_NE16_LAST_CHANNELS_INPUTS] = last_channels << 16 | last_inputs;
    job[TMC_NE16_LAST_OUTPUT_LINES_COLUMNS] = last_pixels;
    job[TMC_NE16_LAST_INPUT_LINES_COLUMNS] = last_pixels;
    job[TMC_NE16_GROUPS_CHANNELS_INPUTS] = channel_groups << 16 | input_groups;
    job[TMC_NE16_GROUPS_LINES_COLUMNS] = line_groups << 16 | 1u;
    job[TMC_NE16_PADDING] = 0;
    job[TMC_NE16_WEIGHT_OFFSET] = 0u - TMC_NE16_ZERO_WEIGHT;
    job[TMC_NE16_FILTER_MASK] = 0;
    job[TMC_NE16_CONFIGURATION] = TMC_NE16_WEIGHTS_8_BITS | TMC_NE16_1X1 | TMC_NE16_OFFSET_WEIGHTS |
                                  TMC_NE16_REQUANTISE | TMC_NE16_BIAS | TMC_NE16_SHIFT(layer->shift) |
                                  layer->results;
    /* What the job reads has been written by now. */
    __asm__ volatile("" ::: "memory");
    *tmc_ne16_register(TMC_NE16_TRIGGER) = 0;
}

/** Start a layer: its rows as an image of three columns. One or two rows behind whole lines are part of the last 9,
 *  of which some get the same results twice; if there are fewer rows, they are a line of their own, and 4 rows are
 *  two lines of two. Waits while both contexts are in use. Until its last job, tmc_ne16_last, was waited for, what the layer reads must not change and what
 *  it writes must not be touched. */
static inline void tmc_ne16_start(const tmc_ne16_layer *layer)
{
    const uint32_t lines = tmc_ne16_third(layer->rows), left = layer->rows - lines * TMC_NE16_SIDE;
    if (left != 0u && lines >= TMC_NE16_SIDE) {
        tmc_ne16_start_image(layer, 0, tmc_ne16_third(lines) * TMC_NE16_SIDE, TMC_NE16_SIDE);
        tmc_ne16_start_image(layer, layer->rows - TMC_NE16_SIDE * TMC_NE16_SIDE, TMC_NE16_SIDE, TMC_NE16_SIDE);
        return;
    }
    if (layer->rows == 4u) {
        tmc_ne16_start_image(layer, 0, 2u, 2u);
        return;
    }
    if (lines != 0u)
        tmc_ne16_start_image(layer, 0, lines, TMC_NE16_SIDE);
    if (left != 0u)
        tmc_ne16_start_image(layer, lines * TMC_NE16_SIDE, 1u, left);
}

/** Return when a job has ended, and with it all before, while later ones may run. Its context is free then, or was
 *  acquired again. */
static inline void tmc_ne16_wait(uint32_t number)
{
    const uint32_t later = (tmc_ne16_last - number) % TMC_NE16_NUMBERS, context = number % TMC_NE16_CONTEXTS;
    if (later < TMC_NE16_CONTEXTS)
        while ((*tmc_ne16_register(TMC_NE16_STATUS) >> 8u * context & 1u) != 0u) {
        }
    __asm__ volatile("" ::: "memory");
}

#endif
