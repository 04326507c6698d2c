#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "ne16_job.h"
#include "trap.h"

#define GROUP_INPUTS 16

static uint32_t word_at(uint32_t address)
{
    uint32_t word;
    memcpy(&word, memory_bytes(address, 4), 4);
    return word;
}

static uint32_t byte_at(uint32_t address) { return *memory_bytes(address, 1); }

/* Gather the bits of a channel's weights, which lie in runs of 16, and add their offset. */
static void unpack(const Ne16Job *job, uint32_t channel, int32_t *weights)
{
    uint32_t group_bytes = 2 * job->weight_bits;
    uint32_t groups = (job->depth + GROUP_INPUTS - 1) / GROUP_INPUTS;
    const uint8_t *packed = memory_bytes(job->weights + channel * groups * group_bytes, groups * group_bytes);
    for (uint32_t k = 0; k < job->depth; k++) {
        const uint8_t *group = packed + k / GROUP_INPUTS * group_bytes;
        uint32_t in_group = k % GROUP_INPUTS, value = 0;
        for (unsigned bit = 0; bit < job->weight_bits; bit++) {
            value |= (uint32_t)(group[2 * bit + in_group / 8] >> in_group % 8 & 1) << bit;
        }
        weights[k] = (int32_t)(value + (uint32_t)job->weight_offset);
    }
}

/* Models of the hardware differ where a sum leaves 32 bits: some wrap it, some saturate it. */
static int32_t narrow(const Hart *hart, int64_t value, uint32_t channel)
{
    if (value != (int32_t)value) {
        trap(hart, "NE16: channel %u: found a sum of %lld, which leaves 32 bits", channel, (long long)value);
    }
    return (int32_t)value;
}

static int32_t clip(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

static int32_t requantise(const Hart *hart, const Ne16Job *job, uint32_t channel, int32_t sum)
{
    uint32_t multiplier = job->wide_multipliers ? word_at(job->multipliers + 4 * channel)
                                                : byte_at(job->multipliers + channel);
    int32_t bias = (int32_t)word_at(job->biases + 4 * channel);
    int32_t product = narrow(hart, (int64_t)sum * multiplier, channel);
    unsigned shift = job->shift_per_channel ? byte_at(job->shifts + channel) : job->shift;
    if (shift > 31) {
        trap(hart, "NE16: channel %u: found a shift of %u, allowed 0 to 31", channel, shift);
    }
    int32_t value = narrow(hart, (int64_t)product + bias, channel) >> shift;
    if (job->wide_output) {
        return value;
    }
    return job->signed_output ? clip(value, -128, 127) : clip(value, 0, 255);
}

static void compute_pixel(const Hart *hart, const Ne16Job *job, uint32_t channel, const int32_t *weights,
                          const uint8_t *input, uint8_t *output)
{
    int64_t sum = 0;
    int32_t value;
    if (job->preload) {
        memcpy(&value, output, 4);
        sum = value;
    }
    for (uint32_t k = 0; k < job->depth; k++) {
        sum += (int64_t)input[k] * weights[k];
    }
    value = narrow(hart, sum, channel);
    if (job->requantise) {
        value = requantise(hart, job, channel, value);
    }
    memcpy(output, &value, job->wide_output ? 4 : 1);
}

static uint8_t *pixel(const Tensor *tensor, uint32_t line, uint32_t column)
{
    return memory_bytes(tensor->address + line * tensor->line_stride + column * tensor->pixel_stride, 1);
}

void ne16_job_compute(const Hart *hart, const Ne16Job *job)
{
    int32_t *weights = allocate(job->depth, sizeof *weights);
    for (uint32_t channel = 0; channel < job->channels; channel++) {
        uint32_t offset = channel * (job->wide_output ? 4 : 1);
        unpack(job, channel, weights);
        for (uint32_t line = 0; line < job->lines; line++) {
            for (uint32_t column = 0; column < job->columns; column++) {
                compute_pixel(hart, job, channel, weights, pixel(&job->input, line, column),
                              pixel(&job->output, line, column) + offset);
            }
        }
    }
    free(weights);
}
