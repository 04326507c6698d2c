#include "tmc_ne16_job.h"

#define SIDE 3u           /* lines and columns of a group of pixels */
#define GROUP_CHANNELS 32u
#define GROUP_INPUTS 16u
#define RUN_BYTES 32u     /* of results of 4 bytes, which are stored 8 at a time */
#define WEIGHT_BYTES 16u  /* of a group of inputs: 8 bits of 16 weights */
#define ZERO_WEIGHT 128u

/* Words of a job; of two halves the upper one is named first. */
enum {
    WEIGHTS,
    INPUT,
    OUTPUT,
    MULTIPLIERS,
    SHIFTS,
    BIASES,
    INPUT_PIXEL_STRIDE,
    INPUT_LINE_STRIDE,
    INPUT_BLOCK_STRIDE,
    OUTPUT_RUN_STRIDE,
    OUTPUT_PIXEL_STRIDE,
    OUTPUT_LINE_STRIDE,
    WEIGHTS_GROUP_STRIDE,
    WEIGHTS_CHANNEL_STRIDE,
    WEIGHTS_BLOCK_STRIDE,
    LAST_CHANNELS_INPUTS, /* sizes of the last groups */
    LAST_OUTPUT_LINES_COLUMNS,
    LAST_INPUT_LINES_COLUMNS,
    GROUPS_CHANNELS_INPUTS,
    GROUPS_LINES_COLUMNS,
    PADDING,
    WEIGHT_OFFSET,
    FILTER_MASK,
    CONFIGURATION
};

/* Jobs so far. */
static uint32_t started;

static inline uint32_t groups_of(uint32_t size, uint32_t group)
{
    return (size + group - 1u) / group;
}

/** Return two halves of a register. */
static inline uint32_t halves(uint32_t upper, uint32_t lower)
{
    return upper << 16 | lower;
}

static inline uint32_t word_of(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

uint32_t tmc_ne16_start_linear(const tmc_ne16_linear_args *args, uint32_t results)
{
    /* Rows are the pixels of an image of three columns. */
    const uint32_t columns = args->rows < SIDE ? args->rows : SIDE;
    const uint32_t lines = args->rows < SIDE ? 1u : groups_of(args->rows, SIDE);
    const uint32_t line_groups = groups_of(lines, SIDE);
    const uint32_t channel_groups = groups_of(args->channels, GROUP_CHANNELS);
    const uint32_t input_groups = groups_of(args->depth, GROUP_INPUTS);
    const uint32_t last_channels = args->channels - (channel_groups - 1u) * GROUP_CHANNELS;
    const uint32_t last_inputs = args->depth - (input_groups - 1u) * GROUP_INPUTS;
    const uint32_t last_pixels = halves(lines - (line_groups - 1u) * SIDE, columns);
    volatile uint32_t *const job = tmc_ne16_register(TMC_NE16_JOB);
    while ((int32_t)*tmc_ne16_register(TMC_NE16_ACQUIRE) < 0) {
    }
    job[WEIGHTS] = word_of(args->weight);
    job[INPUT] = word_of(args->x);
    job[OUTPUT] = word_of(args->y);
    job[MULTIPLIERS] = word_of(args->multiplier);
    job[SHIFTS] = 0;
    job[BIASES] = word_of(args->bias);
    job[INPUT_PIXEL_STRIDE] = args->x_pitch;
    job[INPUT_LINE_STRIDE] = columns * args->x_pitch;
    job[INPUT_BLOCK_STRIDE] = 0;
    job[OUTPUT_RUN_STRIDE] = RUN_BYTES;
    job[OUTPUT_PIXEL_STRIDE] = args->y_pitch;
    job[OUTPUT_LINE_STRIDE] = columns * args->y_pitch;
    job[WEIGHTS_GROUP_STRIDE] = WEIGHT_BYTES;
    job[WEIGHTS_CHANNEL_STRIDE] = input_groups * WEIGHT_BYTES;
    job[WEIGHTS_BLOCK_STRIDE] = 0;
    job[LAST_CHANNELS_INPUTS] = halves(last_channels, last_inputs);
    job[LAST_OUTPUT_LINES_COLUMNS] = last_pixels;
    job[LAST_INPUT_LINES_COLUMNS] = last_pixels;
    job[GROUPS_CHANNELS_INPUTS] = halves(channel_groups, input_groups);
    job[GROUPS_LINES_COLUMNS] = halves(line_groups, 1u);
    job[PADDING] = 0;
    job[WEIGHT_OFFSET] = 0u - ZERO_WEIGHT;
    job[FILTER_MASK] = 0;
    job[CONFIGURATION] = TMC_NE16_WEIGHTS_8_BITS | TMC_NE16_1X1 | TMC_NE16_WEIGHT_OFFSET | TMC_NE16_REQUANTISE |
                         TMC_NE16_BIAS | TMC_NE16_SHIFT(args->shift) | results;
    /* What the job reads has been written by now. */
    __asm__ volatile("" ::: "memory");
    *tmc_ne16_register(TMC_NE16_TRIGGER) = 0;
    return ++started;
}

/** Return how many contexts are in use. */
static inline uint32_t in_flight(void)
{
    const uint32_t status = *tmc_ne16_register(TMC_NE16_STATUS);
    return (status & 1u) + (status >> 8 & 1u);
}

void tmc_ne16_wait(uint32_t job)
{
    while ((int32_t)(started - in_flight() - job) < 0) {
    }
    __asm__ volatile("" ::: "memory");
}
