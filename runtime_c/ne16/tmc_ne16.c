#include "tmc_ne16_job.h"

#define SIDE 3u           /* lines and columns of a group of pixels */
#define GROUP_CHANNELS 32u
#define GROUP_INPUTS 16u
#define RUN_BYTES 32u     /* of results of 4 bytes, which are stored 8 at a time */
#define WEIGHT_BYTES 16u  /* of a group of inputs: 8 bits of 16 weights */
#define ZERO_WEIGHT 128u

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

void tmc_ne16_start_linear(const tmc_ne16_linear_args *args, uint32_t results)
{
    /* Rows are the pixels of an image of three columns. */
    const uint32_t columns = args->rows < SIDE ? args->rows : SIDE;
    const uint32_t lines = groups_of(args->rows, columns);
    const uint32_t line_groups = groups_of(lines, SIDE);
    const uint32_t channel_groups = groups_of(args->channels, GROUP_CHANNELS);
    const uint32_t input_groups = groups_of(args->depth, GROUP_INPUTS);
    const uint32_t last_pixels = halves(lines - (line_groups - 1u) * SIDE, columns);
    while ((int32_t)*tmc_ne16_register(TMC_NE16_ACQUIRE) < 0) {
    }
    const uint32_t words[] = {
        word_of(args->weight),
        word_of(args->x),
        word_of(args->y),
        word_of(args->multiplier),
        0,
        word_of(args->bias),
        args->x_pitch,
        columns * args->x_pitch,
        0,
        RUN_BYTES,
        args->y_pitch,
        columns * args->y_pitch,
        WEIGHT_BYTES,
        input_groups * WEIGHT_BYTES,
        0,
        halves(args->channels - (channel_groups - 1u) * GROUP_CHANNELS,
               args->depth - (input_groups - 1u) * GROUP_INPUTS),
        last_pixels,
        last_pixels,
        halves(channel_groups, input_groups),
        halves(line_groups, 1u),
        0,
        0u - ZERO_WEIGHT,
        0,
        TMC_NE16_WEIGHTS_8_BITS | TMC_NE16_1X1 | TMC_NE16_WEIGHT_OFFSET | TMC_NE16_REQUANTISE | TMC_NE16_BIAS |
            TMC_NE16_SHIFT(args->shift) | results,
    };
    volatile uint32_t *job = tmc_ne16_register(TMC_NE16_JOB);
    for (uint32_t i = 0; i < sizeof words / sizeof words[0]; ++i)
        job[i] = words[i];
    __asm__ volatile("" ::: "memory");
    *tmc_ne16_register(TMC_NE16_TRIGGER) = 0;
}

void tmc_ne16_wait(void)
{
    while (*tmc_ne16_register(TMC_NE16_STATUS) != 0u) {
    }
    __asm__ volatile("" ::: "memory");
}
