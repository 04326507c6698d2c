// The accesses of a job of NE16, one after the other, and what is computed between them.

#include "ne16.hpp"

#include <algorithm>
#include <cstring>

namespace {

constexpr int RUN_CHANNELS = 8; // whose wide results or biases are one access
constexpr int RUN_BYTES = 32;

// Latencies between the phases of a job.
constexpr int BEFORE_LOAD = 6;
constexpr int BEFORE_WEIGHTS = 10;
constexpr int AFTER_WEIGHTS = 6;

constexpr uint32_t L1_MASK = 0x0001FFFF;

// Return the size of a group: `last` for the last one.
int size_of(int group, int groups, int last, int full)
{
    return group == groups - 1 ? last : full;
}

int groups_of(int size, int group)
{
    return (size + group - 1) / group;
}

} // namespace

void Ne16::begin_group()
{
    this->channels = size_of(this->channel_group, this->job.channel_groups(), this->job.upper(15), GROUP_CHANNELS);
    this->lines = size_of(this->line_group, this->job.line_groups(), this->job.upper(16), SIDE);
    this->columns = size_of(this->column_group, this->job.column_groups(), this->job.lower(16), SIDE);
    std::memset(this->sums, 0, sizeof this->sums);
    this->input_group = this->index = 0;
    this->waited = this->finished = false;
    this->phase = this->job.has(PRELOAD) ? Phase::PRELOAD : Phase::LOAD;
}

// Go on with the next group of pixels, then of channels; return whether there is one.
bool Ne16::next_group()
{
    if (++this->column_group == this->job.column_groups()) {
        this->column_group = 0;
        ++this->line_group;
    }
    if (this->line_group == this->job.line_groups()) {
        this->line_group = 0;
        ++this->channel_group;
    }
    if (this->channel_group == this->job.channel_groups()) {
        return false;
    }
    this->begin_group();
    return true;
}

// Do one access of the job and return the cycles until the next one, or until its end.
int Ne16::step()
{
    switch (this->phase) {
    case Phase::PRELOAD:
        return this->preload();
    case Phase::LOAD:
        return this->load();
    case Phase::WEIGHTS:
        return this->multiply_weights();
    case Phase::SHIFTS:
        return this->read_shifts();
    case Phase::MULTIPLIERS:
        return this->multiply();
    case Phase::BIASES:
        return this->add_biases();
    default:
        return this->store();
    }
}

// Read or write bytes of L1, a word of a bank each, and return the cycles that the slowest of them takes.
int Ne16::transfer(uint32_t address, uint8_t *data, int bytes, bool is_write)
{
    int64_t latency = 0;
    for (int done = 0, size; done < bytes; done += size) {
        size = std::min<int>(4 - (address + done) % 4, bytes - done);
        this->request.init();
        this->request.set_addr((address + done) & L1_MASK);
        this->request.set_size(size);
        this->request.set_data(data + done);
        this->request.set_is_write(is_write);
        if (this->memory.req(&this->request) != vp::IO_REQ_OK) {
            this->trace.fatal("access to 0x%x, where no L1 is\n", address + done);
        }
        latency = std::max<int64_t>(latency, this->request.get_latency());
    }
    return 1 + latency;
}

// The port is a word wider than what it delivers, so that any address will do; all of it is read.
int Ne16::read(uint32_t address, uint8_t *data, int bytes)
{
    uint8_t words[RUN_BYTES + 4];
    const int cycles = this->transfer(address & ~3u, words, groups_of(bytes, 4) * 4 + 4, false);
    std::memcpy(data, words + address % 4, bytes);
    return cycles;
}

uint32_t Ne16::result_address(int line, int column) const
{
    const uint32_t first_channel = this->channel_group * GROUP_CHANNELS * this->job.result_bytes();
    return this->job.words[2] + first_channel + (this->line_group * SIDE + line) * this->job.words[11] +
           (this->column_group * SIDE + column) * this->job.words[10];
}

// Begin the sums with what lies where results will.
int Ne16::preload()
{
    const int runs = groups_of(this->channels, RUN_CHANNELS), pixel = this->index / runs, run = this->index % runs;
    const int line = pixel / SIDE, column = pixel % SIDE;
    if (++this->index == ((this->lines - 1) * SIDE + this->columns) * runs) {
        this->index = 0;
        this->phase = Phase::LOAD;
    }
    if (column >= this->columns) {
        return 0;
    }
    const int first = run * RUN_CHANNELS, count = std::min(RUN_CHANNELS, this->channels - first);
    int32_t values[RUN_CHANNELS];
    const uint32_t address = this->result_address(line, column) + run * this->job.words[9];
    const int cycles = this->read(address, reinterpret_cast<uint8_t *>(values), 4 * count);
    for (int i = 0; i < count; ++i) {
        this->sums[first + i][pixel] = values[i];
    }
    return cycles;
}

// Read 16 inputs of a pixel. Pixels that the group has not take a cycle each too.
int Ne16::load()
{
    const int pixels = this->lines * this->columns;
    const int line = this->index / this->columns, column = this->index % this->columns;
    const int count = size_of(this->input_group, this->job.input_groups(), this->job.lower(15), GROUP_INPUTS);
    if (this->index == 0 && !this->waited) {
        std::memset(this->inputs, 0, sizeof this->inputs);
        this->waited = true;
        return BEFORE_LOAD;
    }
    const uint32_t address = this->job.words[1] + this->input_group * GROUP_INPUTS +
                             (this->line_group * SIDE + line) * this->job.words[7] +
                             (this->column_group * SIDE + column) * this->job.words[6];
    int cycles = this->read(address, this->inputs[line * SIDE + column], count);
    if (++this->index == pixels) {
        this->index = 0;
        this->waited = false;
        this->phase = Phase::WEIGHTS;
        cycles += PIXELS - pixels + BEFORE_WEIGHTS;
    }
    return cycles;
}

// Multiply the inputs with the weights of one channel, all bits of 16 weights at a time.
int Ne16::multiply_weights()
{
    const int bits = this->job.weight_bits(), channel = this->index;
    const uint32_t first_channel = this->channel_group * GROUP_CHANNELS * this->job.input_groups() * 2 * bits;
    const uint32_t address = this->job.words[0] + first_channel + this->input_group * 2 * bits +
                             channel * this->job.words[13];
    uint8_t packed[GROUP_INPUTS];
    const int cycles = this->read(address, packed, 2 * bits);
    for (int input = 0; input < GROUP_INPUTS; ++input) {
        uint32_t weight = this->job.words[21];
        for (int bit = 0; bit < bits; ++bit) {
            weight += (packed[2 * bit + input / 8] >> input % 8 & 1u) << bit;
        }
        for (int pixel = 0; pixel < PIXELS; ++pixel) {
            this->sums[channel][pixel] += weight * this->inputs[pixel][input];
        }
    }
    if (++this->index < this->channels) {
        return cycles;
    }
    this->index = 0;
    if (++this->input_group < this->job.input_groups()) {
        this->phase = Phase::LOAD;
    } else if (this->job.has(REQUANTISE)) {
        this->phase = this->job.has(SHIFT_PER_CHANNEL) ? Phase::SHIFTS : Phase::MULTIPLIERS;
    } else {
        this->phase = Phase::STORE;
    }
    return cycles + AFTER_WEIGHTS;
}

int Ne16::read_shifts()
{
    this->phase = Phase::MULTIPLIERS;
    return this->read(this->job.words[4] + this->channel_group * GROUP_CHANNELS, this->shifts, GROUP_CHANNELS);
}

// Multiply the sums of as many channels as one word has multipliers for.
int Ne16::multiply()
{
    const int bytes = this->job.has(WIDE_MULTIPLIERS) ? 4 : 1, count = 4 / bytes, first = this->index * count;
    uint8_t word[4];
    const uint32_t group = this->channel_group * GROUP_CHANNELS * bytes;
    const int cycles = this->read(this->job.words[3] + group + 4 * this->index, word, 4);
    for (int i = 0; i < count; ++i) {
        uint32_t multiplier = word[i];
        if (bytes == 4) {
            std::memcpy(&multiplier, word, 4);
        }
        for (uint32_t &sum : this->sums[first + i]) {
            sum *= multiplier;
        }
    }
    if (++this->index == groups_of(this->channels, count)) {
        this->index = 0;
        this->phase = Phase::BIASES;
    }
    return cycles;
}

// Add the biases of 8 channels and shift. All 32 of a group are read, whatever channels there are.
int Ne16::add_biases()
{
    const int first = this->index * RUN_CHANNELS;
    uint32_t biases[RUN_CHANNELS];
    const uint32_t address = this->job.words[5] + (this->channel_group * GROUP_CHANNELS + first) * 4;
    const int cycles = this->read(address, reinterpret_cast<uint8_t *>(biases), RUN_BYTES);
    for (int i = 0; i < RUN_CHANNELS; ++i) {
        const int channel = first + i;
        const int common = this->job.words[23] >> 16 & 31;
        const int shift = this->job.has(SHIFT_PER_CHANNEL) ? this->shifts[channel] & 31 : common;
        for (uint32_t &sum : this->sums[channel]) {
            sum = static_cast<int32_t>(sum + biases[i]) >> shift;
        }
    }
    if (++this->index == GROUP_CHANNELS / RUN_CHANNELS) {
        this->index = 0;
        this->phase = Phase::STORE;
    }
    return cycles;
}

// Write the results of a pixel, wide ones 8 channels at a time. Pixels that the group has not take as long.
int Ne16::store()
{
    const bool wide = this->job.has(WIDE_RESULTS), is_signed = this->job.has(SIGNED_RESULTS);
    const int runs = wide ? groups_of(this->channels, RUN_CHANNELS) : 1;
    const int pixel = this->index / runs, run = this->index % runs, line = pixel / SIDE, column = pixel % SIDE;
    const int first = run * RUN_CHANNELS;
    const int count = wide ? std::min(RUN_CHANNELS, this->channels - first) : this->channels;
    int cycles = 1;
    if (line < this->lines && column < this->columns) {
        uint8_t bytes[GROUP_CHANNELS * 4];
        for (int i = 0; i < count; ++i) {
            int32_t value = this->sums[first + i][pixel];
            if (wide) {
                std::memcpy(bytes + 4 * i, &value, 4);
            } else {
                bytes[i] = is_signed ? std::clamp(value, -128, 127) : std::clamp(value, 0, 255);
            }
        }
        const uint32_t address = this->result_address(line, column) + run * this->job.words[9];
        cycles = this->transfer(address, bytes, count * this->job.result_bytes(), true);
    }
    if (++this->index == PIXELS * runs) {
        this->finished = !this->next_group();
    }
    return cycles;
}
