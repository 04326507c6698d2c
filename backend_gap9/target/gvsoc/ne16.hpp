// GVSoC component `tmc.ne16`: the accelerator NE16 of GAP9's cluster, 1x1 mode on 8-bit inputs.
//
// Functional, and with the steps in which the hardware reads and writes L1: each access waits for the slowest of its
// memory banks. A job of g groups of up to 9 pixels and up to 32 channels, with n channels in a group, takes
//
//   sum over g of [ceil(depth / 16) * (31 + n) + ceil(n / 4) + 4 + 9]
//
// cycles on banks that nobody else uses, for results and multipliers of 8 bits. Written against GVSoC's interface of
// components; gvsoc.mk builds it. What the registers mean: runtime_c/iss/ne16_job.c, which also stops wrong jobs.
//
// Sources
//   [GVSoC]  github.com/gvsoc/gvsoc-pulp, pulp/ne16: the order of accesses and the fixed latencies between them
#pragma once

#include <array>
#include <cstdint>

#include <vp/itf/io.hpp>
#include <vp/itf/wire.hpp>
#include <vp/vp.hpp>

constexpr int SIDE = 3;
constexpr int PIXELS = SIDE * SIDE;
constexpr int GROUP_CHANNELS = 32;
constexpr int GROUP_INPUTS = 16;
constexpr int WORDS = 24;
constexpr int CONTEXTS = 2;

// Fields of the last word of a job.
constexpr uint32_t REQUANTISE = 1u << 4, MODE = 1u << 3 | 3u << 5 | 1u << 7 | 1u << 8, MODE_1X1 = 2u << 5;
constexpr uint32_t WIDE_MULTIPLIERS = 2u << 12, PRELOAD = 1u << 14, WIDE_RESULTS = 2u << 21;
constexpr uint32_t SIGNED_RESULTS = 1u << 23, SHIFT_PER_CHANNEL = 1u << 24, UNKNOWN = 0xFC200E00 | 1u << 12;

enum class Phase { PRELOAD, LOAD, WEIGHTS, SHIFTS, MULTIPLIERS, BIASES, STORE };

struct Job {
    uint32_t words[WORDS];

    uint32_t upper(int word) const { return words[word] >> 16; }
    uint32_t lower(int word) const { return words[word] & 0xFFFF; }
    bool has(uint32_t field) const { return words[23] & field; }
    int weight_bits() const { return (words[23] & 7) + 1; }
    int channel_groups() const { return upper(18); }
    int input_groups() const { return lower(18); }
    int line_groups() const { return upper(19); }
    int column_groups() const { return lower(19); }
    int result_bytes() const { return has(WIDE_RESULTS) ? 4 : 1; }
};

enum class State { FREE, TAKEN, QUEUED };

struct Context {
    Job job;
    State state;
    int number;
};

class Ne16 : public vp::Component {
public:
    Ne16(vp::ComponentConf &config);
    void reset(bool active) override;

private:
    static vp::IoReqStatus access_register(vp::Block *self, vp::IoReq *request);
    static void start_job(vp::Block *self, vp::ClockEvent *event);
    static void take_step(vp::Block *self, vp::ClockEvent *event);
    static void end_job(vp::Block *self, vp::ClockEvent *event);

    uint32_t load_register(uint32_t offset);
    void store_register(uint32_t offset, uint32_t value);
    uint32_t acquire();
    void trigger();

    int step();
    int preload();
    int load();
    int multiply_weights();
    int read_shifts();
    int multiply();
    int add_biases();
    int store();
    void begin_group();
    bool next_group();
    uint32_t result_address(int line, int column) const;
    int transfer(uint32_t address, uint8_t *data, int bytes, bool is_write);
    int read(uint32_t address, uint8_t *data, int bytes);

    vp::Trace trace;
    vp::IoSlave registers;
    vp::IoMaster memory;
    vp::WireMaster<bool> done;
    vp::ClockEvent *start_event, *step_event, *end_event;
    vp::IoReq request;

    std::array<Context, CONTEXTS> contexts;
    int next_context, used_context, last_number, next_number;
    bool busy;

    // Where the running job is: its groups, and the access of the phase.
    Job job;
    Phase phase;
    int channel_group, line_group, column_group, input_group, index;
    // Of the groups at hand.
    int channels, lines, columns;
    bool waited; // before the first load of 16 inputs
    bool finished;
    uint32_t sums[GROUP_CHANNELS][PIXELS]; // of 32 bits, which wrap
    uint8_t inputs[PIXELS][GROUP_INPUTS];
    uint8_t shifts[GROUP_CHANNELS];
};
