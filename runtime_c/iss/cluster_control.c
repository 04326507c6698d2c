#include "cluster.h"
#include "memory.h"
#include "trap.h"

enum { REGISTER_FETCH_ENABLE = 0x08, REGISTER_ACCELERATOR = 0x18, REGISTER_BOOT_ADDRESS = 0x40 };

/* Of the accelerator its clock, whether it goes first, and how long others wait at most. It works whatever they say. */
#define ACCELERATOR_FIELDS (1u << 11 | 1u << 8 | 0xffu)

#define RUBBISH 0xa5a5a5a5u

void hart_start(Hart *hart, uint32_t address)
{
    for (unsigned i = 1; i < 32; i++) {
        hart->x[i] = RUBBISH;
    }
    for (unsigned i = 0; i < 2; i++) {
        hart->loop[i] = (Loop){.armed_end = LOOP_IDLE};
    }
    hart->pc = address;
    hart->state = HART_RUNNING;
}

static uint32_t accelerator;

static bool is_boot_address(uint32_t offset)
{
    return offset >= REGISTER_BOOT_ADDRESS && offset < REGISTER_BOOT_ADDRESS + 4 * cluster_cores && offset % 4 == 0;
}

/* Start the cores that are newly enabled, stop those that no longer are. */
static void enable_fetch(Hart *hart, uint32_t mask)
{
    if (mask >> cluster_cores != 0) {
        trap(hart, "cluster control: found cores 0x%x switched on, allowed 0x%x", mask, (1u << cluster_cores) - 1);
    }
    uint32_t epoch = memory_new_epoch();
    for (unsigned i = 0; i < cluster_cores; i++) {
        Hart *core = &harts[i];
        bool enable = mask >> i & 1;
        if (enable && core->state == HART_OFF) {
            if (core->gated) {
                trap(hart, "cluster core %u is switched on, but was asleep in p.elw when switched off: it would "
                           "sleep on; wake it by an event instead", i);
            }
            hart_start(core, core->boot_address);
            core->epoch = core->own_lanes != 0 ? epoch : 0;
        } else if (!enable && core->state != HART_OFF) {
            if (core->state == HART_RUNNING || event_unit_barrier_of(i) >= 0) {
                trap(hart, "cluster core %u is switched off while it %s, at pc %s", i,
                     core->state == HART_RUNNING ? "runs" : "waits at a barrier", place(core->pc));
            }
            event_unit_cancel(core);
            core->gated = true;
            core->state = HART_OFF;
        }
    }
}

uint32_t cluster_control_load(Hart *hart, uint32_t offset)
{
    if (is_boot_address(offset)) {
        uint32_t core = (offset - REGISTER_BOOT_ADDRESS) / 4;
        return harts[core].boot_address;
    }
    if (offset == REGISTER_ACCELERATOR) {
        return accelerator;
    }
    trap(hart, "cluster control: read of register 0x%x, which is not modelled", offset);
}

void cluster_control_store(Hart *hart, uint32_t offset, uint32_t value)
{
    if (is_boot_address(offset)) {
        uint32_t core = (offset - REGISTER_BOOT_ADDRESS) / 4;
        harts[core].boot_address = value;
    } else if (offset == REGISTER_FETCH_ENABLE) {
        enable_fetch(hart, value);
    } else if (offset == REGISTER_ACCELERATOR && (value & ~ACCELERATOR_FIELDS) == 0) {
        accelerator = value;
    } else {
        trap(hart, "cluster control: write of register 0x%x, which is not modelled", offset);
    }
}
