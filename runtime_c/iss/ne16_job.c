#include "ne16_job.h"

#include "memory.h"
#include "ne16.h"
#include "transfer.h"
#include "trap.h"

/* Registers of a job, as word numbers. Two halves: the upper one is named first. */
enum {
    WEIGHTS = 0,
    INPUT = 1,
    OUTPUT = 2,
    MULTIPLIERS = 3,
    SHIFTS = 4,
    BIASES = 5,
    INPUT_PIXEL_STRIDE = 6,
    INPUT_LINE_STRIDE = 7,
    INPUT_BLOCK_STRIDE = 8,
    OUTPUT_RUN_STRIDE = 9, /* Of 8 results of 4 bytes. */
    OUTPUT_PIXEL_STRIDE = 10,
    OUTPUT_LINE_STRIDE = 11,
    WEIGHTS_GROUP_STRIDE = 12,
    WEIGHTS_CHANNEL_STRIDE = 13,
    WEIGHTS_BLOCK_STRIDE = 14,
    LAST_CHANNELS_INPUTS = 15, /* Sizes of the last groups. */
    LAST_OUTPUT_LINES_COLUMNS = 16,
    LAST_INPUT_LINES_COLUMNS = 17,
    GROUPS_CHANNELS_INPUTS = 18,
    GROUPS_LINES_COLUMNS = 19,
    PADDING = 20,
    WEIGHT_OFFSET = 21,
    FILTER_MASK = 22,
    CONFIGURATION = 23,
};

#define GROUP_CHANNELS 32
#define GROUP_INPUTS 16
#define GROUP_SIDE 3 /* Lines and columns. */
#define RUN_BYTES 32

#define WEIGHT_BITS 0x7u
#define REQUANTISE (1u << 4)
#define MODE_1X1 (2u << 5)
#define WIDE_MULTIPLIERS (2u << 12)
#define PRELOAD (1u << 14)
#define LAYER_OFFSET (1u << 15)
#define SHIFT_BIT 16
#define SHIFT (0x1fu << SHIFT_BIT)
#define WIDE_OUTPUT (2u << 21)
#define SIGNED_OUTPUT (1u << 23)
#define SHIFT_PER_CHANNEL (1u << 24)
#define BIAS (1u << 25)
#define REQUANTISE_FIELDS (WIDE_MULTIPLIERS | SHIFT | SHIFT_PER_CHANNEL | BIAS)
#define CHOICES (WEIGHT_BITS | REQUANTISE | PRELOAD | WIDE_OUTPUT | SIGNED_OUTPUT | REQUANTISE_FIELDS)

static uint32_t upper(uint32_t word) { return word >> 16; }
static uint32_t lower(uint32_t word) { return word & 0xffffu; }

static void require(const Hart *hart, const uint32_t *words, unsigned index, bool holds, const char *allowed)
{
    if (!holds) {
        trap(hart, "NE16: job register %u is 0x%08x, allowed %s", index, words[index], allowed);
    }
}

static void check_configuration(const Hart *hart, const uint32_t *words)
{
    uint32_t word = words[CONFIGURATION];
    bool wide = word & WIDE_OUTPUT, is_signed = word & SIGNED_OUTPUT;
    require(hart, words, CONFIGURATION, (word & ~CHOICES) == (MODE_1X1 | LAYER_OFFSET),
            "1x1 mode on 8-bit inputs with an offset of the weights, results of 8 or 32 bits");
    if (word & REQUANTISE) {
        require(hart, words, CONFIGURATION, word & BIAS, "requantisation with biases");
    } else {
        require(hart, words, CONFIGURATION, wide && (word & REQUANTISE_FIELDS) == 0,
                "sums of 32 bits and no fields of a requantisation, or a requantisation");
    }
    require(hart, words, CONFIGURATION, !wide || is_signed, "results of 32 bits that are signed");
    require(hart, words, CONFIGURATION, wide || !(word & PRELOAD), "sums that begin with results of 32 bits");
}

static bool is_size(uint32_t size, uint32_t largest) { return size >= 1 && size <= largest; }

static void check_sizes(const Hart *hart, const uint32_t *words)
{
    static const unsigned COUNTS[] = {GROUPS_CHANNELS_INPUTS, GROUPS_LINES_COLUMNS};
    uint32_t last = words[LAST_CHANNELS_INPUTS], pixels = words[LAST_OUTPUT_LINES_COLUMNS];
    for (unsigned i = 0; i < 2; i++) {
        uint32_t word = words[COUNTS[i]];
        require(hart, words, COUNTS[i], upper(word) != 0 && lower(word) != 0, "at least 1 group of each kind");
    }
    require(hart, words, LAST_CHANNELS_INPUTS, is_size(upper(last), GROUP_CHANNELS), "1 to 32 channels in the last");
    require(hart, words, LAST_CHANNELS_INPUTS, is_size(lower(last), GROUP_INPUTS), "1 to 16 inputs in the last group");
    bool is_part = is_size(upper(pixels), GROUP_SIDE) && is_size(lower(pixels), GROUP_SIDE);
    require(hart, words, LAST_OUTPUT_LINES_COLUMNS, is_part, "1 to 3 lines and columns in the last groups");
    require(hart, words, LAST_INPUT_LINES_COLUMNS, words[LAST_INPUT_LINES_COLUMNS] == pixels,
            "as many pixels of the input as of the output");
}

/* Of strides that do not matter in this mode only what drivers write is known to be harmless. */
static void check_strides(const Hart *hart, const uint32_t *words, const Ne16Job *job)
{
    static const unsigned ZEROS[] = {INPUT_BLOCK_STRIDE, WEIGHTS_BLOCK_STRIDE, PADDING, FILTER_MASK};
    static const unsigned ALIGNED[] = {WEIGHTS, INPUT, OUTPUT, INPUT_PIXEL_STRIDE, INPUT_LINE_STRIDE,
                                       OUTPUT_PIXEL_STRIDE, OUTPUT_LINE_STRIDE};
    static const unsigned CONSTANTS[] = {MULTIPLIERS, SHIFTS, BIASES};
    uint32_t group_bytes = 2 * job->weight_bits;
    for (unsigned i = 0; i < sizeof ZEROS / sizeof ZEROS[0]; i++) {
        require(hart, words, ZEROS[i], words[ZEROS[i]] == 0, "0");
    }
    for (unsigned i = 0; i < sizeof ALIGNED / sizeof ALIGNED[0]; i++) {
        require(hart, words, ALIGNED[i], words[ALIGNED[i]] % 4 == 0, "multiples of 4");
    }
    for (unsigned i = 0; job->requantise && i < sizeof CONSTANTS / sizeof CONSTANTS[0]; i++) {
        require(hart, words, CONSTANTS[i], words[CONSTANTS[i]] % 4 == 0, "multiples of 4");
    }
    require(hart, words, OUTPUT_RUN_STRIDE, words[OUTPUT_RUN_STRIDE] == RUN_BYTES, "32");
    require(hart, words, WEIGHTS_GROUP_STRIDE, words[WEIGHTS_GROUP_STRIDE] == group_bytes,
            "the bytes of 16 weights");
    require(hart, words, WEIGHTS_CHANNEL_STRIDE,
            words[WEIGHTS_CHANNEL_STRIDE] == lower(words[GROUPS_CHANNELS_INPUTS]) * group_bytes,
            "the bytes of a channel's weights");
}

static bool is_inside_l1(uint32_t address, uint64_t bytes)
{
    uint32_t offset = address - l1.address;
    return offset < l1.bytes && bytes <= l1.bytes - offset;
}

/* Pixels must lie behind each other, and lines too. */
static void check_places(const Hart *hart, const uint32_t *words, unsigned index, const Ne16Job *job,
                         const Tensor *tensor, uint32_t pixel_bytes)
{
    uint64_t line_bytes = (uint64_t)(job->columns - 1) * tensor->pixel_stride + pixel_bytes;
    uint64_t last_line = (uint64_t)(job->lines - 1) * tensor->line_stride;
    require(hart, words, index, job->columns == 1 || tensor->pixel_stride >= pixel_bytes, "at least a pixel");
    require(hart, words, index + 1, job->lines == 1 || tensor->line_stride >= line_bytes, "at least a line");
    if (!is_inside_l1(tensor->address, last_line + line_bytes)) {
        trap(hart, "NE16: found a tensor of %llu bytes at %s, which is not inside L1",
             (unsigned long long)(last_line + line_bytes), place(tensor->address));
    }
}

static uint32_t round_up(uint32_t value, uint32_t step) { return (value + step - 1) / step * step; }

typedef struct Run {
    uint32_t address;
    uint64_t bytes;
} Run;

#define CONSTANT_RUNS 4

/* Fill in what a job reads besides its input, and return the number of runs. Constants come 32 channels at a time. */
static unsigned constant_runs(const Ne16Job *job, Run *runs)
{
    uint32_t channels = round_up(job->channels, GROUP_CHANNELS);
    uint32_t channel_bytes = round_up(job->depth, GROUP_INPUTS) / 8 * job->weight_bits;
    unsigned count = 0;
    runs[count++] = (Run){job->weights, (uint64_t)job->channels * channel_bytes};
    if (job->requantise) {
        runs[count++] = (Run){job->multipliers, channels * (job->wide_multipliers ? 4 : 1)};
        runs[count++] = (Run){job->biases, channels * 4};
        if (job->shift_per_channel) {
            runs[count++] = (Run){job->shifts, channels};
        }
    }
    return count;
}

static uint32_t result_bytes(const Ne16Job *job) { return job->wide_output ? 4 : 1; }

Ne16Job ne16_job_of(const Hart *hart, const uint32_t *words)
{
    check_configuration(hart, words);
    check_sizes(hart, words);
    uint32_t configuration = words[CONFIGURATION];
    uint32_t last = words[LAST_CHANNELS_INPUTS], pixels = words[LAST_OUTPUT_LINES_COLUMNS];
    uint32_t channel_groups = upper(words[GROUPS_CHANNELS_INPUTS]), input_groups = lower(words[GROUPS_CHANNELS_INPUTS]);
    uint32_t line_groups = upper(words[GROUPS_LINES_COLUMNS]), column_groups = lower(words[GROUPS_LINES_COLUMNS]);
    Ne16Job job = {
        .input = {words[INPUT], words[INPUT_PIXEL_STRIDE], words[INPUT_LINE_STRIDE]},
        .output = {words[OUTPUT], words[OUTPUT_PIXEL_STRIDE], words[OUTPUT_LINE_STRIDE]},
        .weights = words[WEIGHTS],
        .multipliers = words[MULTIPLIERS],
        .shifts = words[SHIFTS],
        .biases = words[BIASES],
        .lines = (line_groups - 1) * GROUP_SIDE + upper(pixels),
        .columns = (column_groups - 1) * GROUP_SIDE + lower(pixels),
        .depth = (input_groups - 1) * GROUP_INPUTS + lower(last),
        .channels = (channel_groups - 1) * GROUP_CHANNELS + upper(last),
        .weight_bits = (configuration & WEIGHT_BITS) + 1,
        .weight_offset = (int32_t)words[WEIGHT_OFFSET],
        .shift = (configuration & SHIFT) >> SHIFT_BIT,
        .requantise = configuration & REQUANTISE,
        .preload = configuration & PRELOAD,
        .wide_multipliers = configuration & WIDE_MULTIPLIERS,
        .shift_per_channel = configuration & SHIFT_PER_CHANNEL,
        .wide_output = configuration & WIDE_OUTPUT,
        .signed_output = configuration & SIGNED_OUTPUT,
    };
    check_strides(hart, words, &job);
    check_places(hart, words, INPUT_PIXEL_STRIDE, &job, &job.input, job.depth);
    check_places(hart, words, OUTPUT_PIXEL_STRIDE, &job, &job.output, job.channels * result_bytes(&job));
    Run runs[CONSTANT_RUNS];
    unsigned count = constant_runs(&job, runs);
    for (unsigned i = 0; i < count; i++) {
        if (!is_inside_l1(runs[i].address, runs[i].bytes)) {
            trap(hart, "NE16: found %llu bytes of weights or constants at %s, which are not inside L1",
                 (unsigned long long)runs[i].bytes, place(runs[i].address));
        }
    }
    return job;
}

static uint32_t pixel_address(const Tensor *tensor, uint32_t line, uint32_t column)
{
    return tensor->address + line * tensor->line_stride + column * tensor->pixel_stride;
}

static void hold_tensor(Hart *hart, HoldAction action, const Ne16Job *job, const Tensor *tensor, uint32_t bytes)
{
    for (uint32_t line = 0; line < job->lines; line++) {
        for (uint32_t column = 0; column < job->columns; column++) {
            hold_run(hart, action, pixel_address(tensor, line, column), bytes);
        }
    }
}

static void hold_sources(Hart *hart, HoldAction action, const Ne16Job *job)
{
    Run runs[CONSTANT_RUNS];
    unsigned count = constant_runs(job, runs);
    for (unsigned i = 0; i < count; i++) {
        hold_run(hart, action, runs[i].address, (uint32_t)runs[i].bytes);
    }
    hold_tensor(hart, action, job, &job->input, job->depth);
}

static void hold_target(Hart *hart, HoldAction action, const Ne16Job *job)
{
    hold_tensor(hart, action, job, &job->output, job->channels * result_bytes(job));
}

void ne16_job_start(Hart *hart, const Ne16Job *job, const Ne16Job *before)
{
    if (before != NULL) {
        hold_sources(hart, RELEASE_SOURCE, before);
    }
    hold_sources(hart, HOLD_SOURCE, job);
    if (before != NULL) {
        hold_target(hart, RELEASE_TARGET, before);
    }
    hold_target(hart, HOLD_TARGET, job);
    if (before != NULL) {
        hold_sources(hart, HOLD_SOURCE_AGAIN, before);
        hold_target(hart, HOLD_TARGET_AGAIN, before);
    }
}

void ne16_job_finish(Hart *hart, const Ne16Job *job, const Ne16Job *behind)
{
    hold_sources(hart, RELEASE_SOURCE, job);
    hold_target(hart, RELEASE_TARGET, job);
    ne16_job_compute(hart, job);
    if (behind != NULL) {
        hold_target(hart, HOLD_TARGET_AGAIN, behind);
    }
}
