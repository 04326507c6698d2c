#include "cluster.h"
#include "device.h"
#include "dma.h"
#include "memory.h"
#include "ne16.h"
#include "trap.h"

enum {
    REGISTER_MASK = 0x00,
    REGISTER_MASK_AND = 0x04,
    REGISTER_MASK_OR = 0x08,
    REGISTER_BUFFER = 0x1c,
    REGISTER_BUFFER_MASKED = 0x20,
    REGISTER_BUFFER_CLEAR = 0x28,
    REGISTER_WAIT = 0x38,
    REGISTER_WAIT_CLEAR = 0x3c,
    REGISTER_SOFTWARE_EVENT = 0x100,
    REGISTER_BARRIER = 0x200,
    BARRIER_TRIGGER_MASK = 0x00,
    BARRIER_STATUS = 0x04,
    BARRIER_TARGET_MASK = 0x0c,
    BARRIER_WAIT = 0x18,
    BARRIER_WAIT_CLEAR = 0x1c,
    BARRIER_STRIDE = 0x20,
};

#define BARRIERS 8
#define SOFTWARE_EVENTS 8
#define NO_BARRIER (-1)

typedef struct CoreEvents {
    uint32_t buffer;
    uint32_t mask;
    bool waiting;
    bool clear;    /* Take the events out of the buffer on wake-up. */
    bool released; /* The barrier it waits at is complete. */
    int barrier;   /* Waited at, or NO_BARRIER. */
} CoreEvents;

typedef struct Barrier {
    uint32_t trigger_mask;
    uint32_t target_mask;
    uint32_t arrived;
} Barrier;

static CoreEvents cores[CLUSTER_CORES_MAX];
static Barrier barriers[BARRIERS];

static void wake(unsigned core)
{
    if (cores[core].waiting && (cores[core].buffer & cores[core].mask)) {
        harts[core].state = HART_RUNNING;
    }
}

void event_unit_raise(unsigned event, uint32_t core_mask)
{
    for (unsigned i = 0; i < cluster_cores; i++) {
        if (core_mask >> i & 1) {
            cores[i].buffer |= 1u << event;
            wake(i);
        }
    }
}

/* What happened before a synchronisation is ordered before what these cores do now. */
static void synchronise(uint32_t core_mask)
{
    uint32_t epoch = memory_new_epoch();
    for (unsigned i = 0; i < cluster_cores; i++) {
        if ((core_mask >> i & 1) && harts[i].own_lanes != 0) {
            harts[i].epoch = epoch;
        }
    }
}

void event_unit_software_event(Hart *hart, uint32_t event, uint32_t core_mask)
{
    if (event >= SOFTWARE_EVENTS || core_mask >> cluster_cores != 0) {
        trap(hart, "event unit: found software event %u for cores 0x%x, allowed 0 to %d and 0x%x", event,
             core_mask, SOFTWARE_EVENTS - 1, (1u << cluster_cores) - 1);
    }
    core_mask = core_mask != 0 ? core_mask : (1u << cluster_cores) - 1;
    synchronise(core_mask);
    event_unit_raise(event, core_mask);
}

static void arrive(Hart *hart, unsigned index)
{
    Barrier *barrier = &barriers[index];
    uint32_t self = 1u << hart->index;
    if (!(barrier->trigger_mask & self)) {
        trap(hart, "barrier %u: core %u is not in its trigger mask 0x%02x", index, hart->index,
             barrier->trigger_mask);
    }
    barrier->arrived |= self;
    if ((barrier->arrived & barrier->trigger_mask) == barrier->trigger_mask) {
        barrier->arrived = 0;
        synchronise(barrier->target_mask);
        for (unsigned i = 0; i < cluster_cores; i++) {
            if ((barrier->target_mask >> i & 1) && cores[i].barrier == (int)index) {
                cores[i].released = true;
            }
        }
        event_unit_raise(EVENT_BARRIER, barrier->target_mask);
    }
}

/* Enter a wait: note what is waited for, and arrive at the barrier if it is one. */
static void begin_wait(Hart *hart, uint32_t offset)
{
    CoreEvents *core = &cores[hart->index];
    uint32_t barrier_offset = offset - REGISTER_BARRIER, index = barrier_offset / BARRIER_STRIDE;
    uint32_t reg = barrier_offset % BARRIER_STRIDE;
    if (offset == REGISTER_WAIT || offset == REGISTER_WAIT_CLEAR) {
        core->barrier = NO_BARRIER;
        core->clear = offset == REGISTER_WAIT_CLEAR;
    } else if (index < BARRIERS && (reg == BARRIER_WAIT || reg == BARRIER_WAIT_CLEAR)) {
        core->barrier = (int)index;
        core->clear = reg == BARRIER_WAIT_CLEAR;
    } else {
        trap(hart, "p.elw at 0x%08x, which is no wait register", EVENT_UNIT_ADDRESS + offset);
    }
    core->waiting = true;
    core->released = false;
    if (core->barrier != NO_BARRIER) {
        arrive(hart, index);
    }
}

bool event_unit_wait(Hart *hart, uint32_t address, uint32_t *value)
{
    if (hart->index == FABRIC_CONTROLLER || address - EVENT_UNIT_ADDRESS >= EVENT_UNIT_BYTES) {
        trap(hart, "p.elw at %s, which is no wait register of this hart", place(address));
    }
    CoreEvents *core = &cores[hart->index];
    if (!core->waiting) {
        begin_wait(hart, address - EVENT_UNIT_ADDRESS);
    }
    if (!(core->buffer & core->mask)) {
        dma_progress();
        ne16_progress();
    }
    uint32_t events = core->buffer & core->mask;
    if (events == 0) {
        return false;
    }
    if (core->barrier != NO_BARRIER && !core->released) {
        trap(hart, "barrier %d: core %u is woken by events 0x%08x before all have arrived: the event mask 0x%08x "
                   "lets in more than the barrier", core->barrier, hart->index, events, core->mask);
    }
    if (core->clear) {
        core->buffer &= ~core->mask;
    }
    core->waiting = false;
    core->barrier = NO_BARRIER;
    *value = events;
    return true;
}

void event_unit_cancel(const Hart *hart) { cores[hart->index].waiting = false; }

int event_unit_barrier_of(unsigned core) { return cores[core].waiting ? cores[core].barrier : NO_BARRIER; }

static Barrier *barrier_at(uint32_t offset)
{
    uint32_t index = (offset - REGISTER_BARRIER) / BARRIER_STRIDE;
    return offset >= REGISTER_BARRIER && index < BARRIERS ? &barriers[index] : NULL;
}

uint32_t event_unit_load(Hart *hart, uint32_t offset)
{
    const CoreEvents *core = &cores[hart->index];
    const Barrier *barrier = barrier_at(offset);
    if (barrier != NULL) {
        switch (offset % BARRIER_STRIDE) {
        case BARRIER_TRIGGER_MASK:
            return barrier->trigger_mask;
        case BARRIER_STATUS:
            return barrier->arrived;
        case BARRIER_TARGET_MASK:
            return barrier->target_mask;
        default:
            break;
        }
    }
    switch (offset) {
    case REGISTER_MASK:
        return core->mask;
    case REGISTER_BUFFER:
        return core->buffer;
    case REGISTER_BUFFER_MASKED:
        return core->buffer & core->mask;
    default:
        trap(hart, "event unit: read of register 0x%x, which is not modelled for plain loads", offset);
    }
}

void event_unit_store(Hart *hart, uint32_t offset, uint32_t value)
{
    CoreEvents *core = &cores[hart->index];
    Barrier *barrier = barrier_at(offset);
    uint32_t event = (offset - REGISTER_SOFTWARE_EVENT) / 4;
    if (barrier != NULL && offset % BARRIER_STRIDE == BARRIER_TRIGGER_MASK) {
        barrier->trigger_mask = value;
    } else if (barrier != NULL && offset % BARRIER_STRIDE == BARRIER_TARGET_MASK) {
        barrier->target_mask = value;
    } else if (offset >= REGISTER_SOFTWARE_EVENT && event < SOFTWARE_EVENTS) {
        event_unit_software_event(hart, event, value);
    } else if (offset == REGISTER_MASK) {
        core->mask = value;
    } else if (offset == REGISTER_MASK_AND) {
        core->mask &= ~value;
    } else if (offset == REGISTER_MASK_OR) {
        core->mask |= value;
    } else if (offset == REGISTER_BUFFER_CLEAR) {
        core->buffer &= ~value;
    } else {
        trap(hart, "event unit: write of register 0x%x, which is not modelled", offset);
    }
}
