// Registers of NE16, its two contexts and the events at the beginning and end of a job.

#include "ne16.hpp"

#include <cstring>

namespace {

// Registers.
constexpr uint32_t TRIGGER = 0x00, ACQUIRE = 0x04, STATUS = 0x0C, RUNNING = 0x10, CLEAR = 0x14, JOB = 0x20;
constexpr uint32_t QUEUE_FULL = 0xFFFFFFFF, QUEUE_TAKEN = 0xFFFFFFFE;

} // namespace

Ne16::Ne16(vp::ComponentConf &config) : vp::Component(config)
{
    this->traces.new_trace("trace", &this->trace, vp::DEBUG);
    this->registers.set_req_meth(&Ne16::access_register);
    this->new_slave_port("input", &this->registers);
    this->new_master_port("out", &this->memory);
    this->new_master_port("irq", &this->done);
    this->start_event = this->event_new(&Ne16::start_job);
    this->step_event = this->event_new(&Ne16::take_step);
    this->end_event = this->event_new(&Ne16::end_job);
}

void Ne16::reset(bool active)
{
    if (active) {
        this->contexts.fill(Context{});
        this->next_context = this->used_context = this->last_number = this->next_number = 0;
        this->busy = false;
    }
}

vp::IoReqStatus Ne16::access_register(vp::Block *self, vp::IoReq *request)
{
    Ne16 *ne16 = static_cast<Ne16 *>(self);
    uint32_t offset = request->get_addr(), value = 0;
    if (request->get_size() != 4) {
        ne16->trace.fatal("access of %d bytes to a register, allowed 4\n", static_cast<int>(request->get_size()));
        return vp::IO_REQ_INVALID;
    }
    if (request->get_is_write()) {
        std::memcpy(&value, request->get_data(), 4);
        ne16->store_register(offset, value);
    } else {
        value = ne16->load_register(offset);
        std::memcpy(request->get_data(), &value, 4);
    }
    return vp::IO_REQ_OK;
}

uint32_t Ne16::load_register(uint32_t offset)
{
    switch (offset) {
    case ACQUIRE:
        return this->acquire();
    case STATUS:
        return (this->contexts[0].state != State::FREE) | (this->contexts[1].state != State::FREE) << 8;
    case RUNNING:
        return this->last_number;
    default:
        this->trace.fatal("read of register 0x%x, which is not modelled\n", offset);
        return 0;
    }
}

void Ne16::store_register(uint32_t offset, uint32_t value)
{
    Context &context = this->contexts[this->next_context];
    if (offset == CLEAR) {
        if (this->busy) {
            this->trace.fatal("cleared while a job runs\n");
        }
        this->reset(true);
    } else if (context.state != State::TAKEN) {
        this->trace.fatal("write of register 0x%x without an acquired job\n", offset);
    } else if (offset == TRIGGER) {
        this->trigger();
    } else if (offset >= JOB && offset < JOB + 4 * WORDS) {
        context.job.words[(offset - JOB) / 4] = value;
    } else {
        this->trace.fatal("write of register 0x%x, which is not modelled\n", offset);
    }
}

uint32_t Ne16::acquire()
{
    Context &context = this->contexts[this->next_context];
    if (context.state != State::FREE) {
        return context.state == State::TAKEN ? QUEUE_TAKEN : QUEUE_FULL;
    }
    context.state = State::TAKEN;
    context.number = this->next_number++ & 0xFF;
    return context.number;
}

void Ne16::trigger()
{
    Context &context = this->contexts[this->next_context];
    const uint32_t configuration = context.job.words[23];
    const bool requantise = context.job.has(REQUANTISE), wide = context.job.has(WIDE_RESULTS);
    if ((configuration & MODE) != MODE_1X1 || configuration & UNKNOWN || (!requantise && !wide)) {
        this->trace.fatal("configuration 0x%x, allowed 1x1 mode on 8-bit inputs\n", configuration);
    }
    context.state = State::QUEUED;
    this->next_context = 1 - this->next_context;
    if (!this->busy) {
        this->busy = true;
        this->event_enqueue(this->start_event, 1);
    }
}

void Ne16::start_job(vp::Block *self, vp::ClockEvent *event)
{
    Ne16 *ne16 = static_cast<Ne16 *>(self);
    const Context &context = ne16->contexts[ne16->used_context];
    ne16->job = context.job;
    ne16->last_number = context.number;
    ne16->channel_group = ne16->line_group = ne16->column_group = 0;
    ne16->begin_group();
    take_step(self, event);
}

void Ne16::take_step(vp::Block *self, vp::ClockEvent *event)
{
    Ne16 *ne16 = static_cast<Ne16 *>(self);
    int cycles = 0;
    (void)event;
    while (cycles == 0) {
        cycles = ne16->step();
    }
    ne16->event_enqueue(ne16->finished ? ne16->end_event : ne16->step_event, cycles);
}

void Ne16::end_job(vp::Block *self, vp::ClockEvent *event)
{
    Ne16 *ne16 = static_cast<Ne16 *>(self);
    (void)event;
    ne16->contexts[ne16->used_context].state = State::FREE;
    ne16->used_context = 1 - ne16->used_context;
    ne16->done.sync(true);
    ne16->busy = ne16->contexts[ne16->used_context].state == State::QUEUED;
    if (ne16->busy) {
        ne16->event_enqueue(ne16->start_event, 1);
    }
}

extern "C" vp::Component *gv_new(vp::ComponentConf &config)
{
    return new Ne16(config);
}
