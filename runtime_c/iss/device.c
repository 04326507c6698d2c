#include "device.h"

#include <stddef.h>

#include "cluster.h"
#include "console.h"
#include "dma.h"
#include "hyper.h"
#include "memory.h"
#include "ne16.h"
#include "trap.h"

bool program_exited;
uint32_t program_status;

#define EXIT_VALID 0x80000000u
#define SOFTWARE_EVENTS_BYTES 0x20u

/* Registers that only have to keep their value: clock generators. */
static uint32_t clock_words[16];

static uint32_t load_clock(Hart *hart, uint32_t offset)
{
    (void)hart;
    return clock_words[offset / 4];
}

static void store_clock(Hart *hart, uint32_t offset, uint32_t value)
{
    (void)hart;
    clock_words[offset / 4] = value;
}

/* Instruction caches change timing only. */
static uint32_t load_zero(Hart *hart, uint32_t offset)
{
    (void)hart;
    (void)offset;
    return 0;
}

static void ignore_store(Hart *hart, uint32_t offset, uint32_t value)
{
    (void)hart;
    (void)offset;
    (void)value;
}

static void store_exit(Hart *hart, uint32_t offset, uint32_t value)
{
    (void)offset;
    if (value & EXIT_VALID) {
        program_exited = true;
        program_status = value & ~EXIT_VALID;
        hart_end_turn(hart);
    }
}

static void store_software_event(Hart *hart, uint32_t offset, uint32_t value)
{
    event_unit_software_event(hart, offset / 4, value);
}

static void store_console(Hart *hart, uint32_t offset, uint32_t value)
{
    (void)offset;
    console_put(hart, (char)value);
}

typedef struct Window {
    uint32_t address;
    uint32_t bytes;
    uint32_t (*load)(Hart *hart, uint32_t offset);
    void (*store)(Hart *hart, uint32_t offset, uint32_t value);
    bool cluster_only;
    bool any_width;
} Window;

static const Window WINDOWS[] = {
    {EVENT_UNIT_ADDRESS, EVENT_UNIT_BYTES, event_unit_load, event_unit_store, true, false},
    {0x00204400u, 0x400, dma_load, dma_store, true, false},
    {0x00200000u, 0x400, cluster_control_load, cluster_control_store, true, false},
    {0x00201000u, 0x80, ne16_load, ne16_store, true, false},
    {0x10200000u, 0x400, cluster_control_load, cluster_control_store, false, false},
    {0x10200e00u, SOFTWARE_EVENTS_BYTES, NULL, store_software_event, false, false},
    {0x10201000u, 0x80, ne16_load, ne16_store, false, false},
    {0x10201400u, 0x20, load_zero, ignore_store, false, false},
    {0x1a100000u, sizeof clock_words, load_clock, store_clock, false, false},
    {0x1a102000u, 0x900, hyper_load, hyper_store, false, false},
    {0x1a1040a0u, 4, NULL, store_exit, false, false},
    {0x1a108800u, 0x20, load_zero, ignore_store, false, false},
    {0x1a10f000u, 0x1000, NULL, store_console, false, true},
};

static const Window *window_at(const Hart *hart, const char *verb, uint32_t address, unsigned bytes)
{
    for (size_t i = 0; i < sizeof WINDOWS / sizeof WINDOWS[0]; i++) {
        const Window *window = &WINDOWS[i];
        if (address - window->address >= window->bytes) {
            continue;
        }
        if (window->cluster_only && hart->index == FABRIC_CONTROLLER) {
            trap(hart, "%s of %u bytes at 0x%08x: only cluster cores reach it", verb, bytes, address);
        }
        if (bytes != 4 && !window->any_width) {
            trap(hart, "%s of %u bytes at 0x%08x: the device takes words only", verb, bytes, address);
        }
        return window;
    }
    trap(hart, "%s of %u bytes at 0x%08x: no memory and no device there", verb, bytes, address);
}

uint32_t device_load(Hart *hart, uint32_t address, unsigned bytes)
{
    const Window *window = window_at(hart, "load", address, bytes);
    if (window->load == NULL) {
        trap(hart, "load of %u bytes at 0x%08x: the register can only be written", bytes, address);
    }
    return window->load(hart, address - window->address);
}

void device_store(Hart *hart, uint32_t address, uint32_t value, unsigned bytes)
{
    const Window *window = window_at(hart, "store", address, bytes);
    window->store(hart, address - window->address, value);
}
