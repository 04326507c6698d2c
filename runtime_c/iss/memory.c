#include "memory.h"

#include <stdlib.h>

#include "device.h"
#include "trap.h"

#define RUBBISH 0xa5

Region l1, l2;
bool strict_align = true;

static uint32_t newest_epoch;

void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    if (memory == NULL) {
        usage_error("out of memory: %zu bytes", count * bytes);
    }
    return memory;
}

static Region create_region(uint32_t address, uint32_t bytes)
{
    Region region = {address, bytes, allocate(bytes, 1), allocate(bytes / 4, sizeof(Guard))};
    memset(region.data, RUBBISH, bytes);
    return region;
}

void memory_create(uint32_t l1_bytes, uint32_t l2_bytes)
{
    l1 = create_region(L1_ADDRESS, l1_bytes);
    l2 = create_region(L2_ADDRESS, L2_PRIVATE_BYTES + l2_bytes);
}

uint8_t *memory_bytes(uint32_t address, uint32_t bytes)
{
    const Region *region = region_of(address);
    if (region == NULL || bytes > region->bytes - (address - region->address)) {
        return NULL;
    }
    return region->data + (address - region->address);
}

Guard *memory_guard(uint32_t address)
{
    const Region *region = region_of(address);
    return &region->guards[(address - region->address) >> 2];
}

void memory_protect(uint32_t address, uint32_t bytes)
{
    if (memory_bytes(address, bytes) == NULL) {
        return;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        memory_guard(address + i)->hold |= HOLD_CONSTANT << 8 * ((address + i) & 3);
    }
}

uint32_t memory_new_epoch(void)
{
    if (++newest_epoch == 0) {
        trap_all("more than 2^32 synchronisations");
    }
    return newest_epoch;
}

static _Noreturn void trap_misaligned(const Hart *hart, const char *verb, uint32_t address, unsigned bytes)
{
    trap(hart, "misaligned %s of %u bytes at %s", verb, bytes, place(address));
}

/* Return some other core in a lane mask. */
static unsigned other_core(const Hart *hart, uint32_t mask)
{
    uint32_t bits = mask & hart->other_lanes;
    return (unsigned)__builtin_ctz(bits) & 7;
}

_Noreturn void trap_load(const Hart *hart, uint32_t address, unsigned bytes)
{
    const Guard *guard = memory_guard(address);
    uint32_t lanes = lanes_of(address, bytes);
    if (guard->hold & lanes & 0x80808080u) {
        trap(hart, "load of %u bytes at %s: destination of a transfer that was not waited for", bytes,
             place(address));
    }
    trap(hart, "load of %u bytes at %s: race: core %u wrote it, and there was no barrier since", bytes,
         place(address), other_core(hart, guard->writers & lanes));
}

_Noreturn void trap_store(const Hart *hart, uint32_t address, unsigned bytes)
{
    const Guard *guard = memory_guard(address);
    uint32_t lanes = lanes_of(address, bytes), hold = guard->hold & lanes;
    if (hold & 0x80808080u) {
        trap(hart, "store of %u bytes at %s: destination of a transfer that was not waited for", bytes,
             place(address));
    }
    if (hold & 0x20202020u) {
        trap(hart, "store of %u bytes at %s: code or constant data", bytes, place(address));
    }
    if (hold) {
        trap(hart, "store of %u bytes at %s: source of a transfer that was not waited for", bytes,
             place(address));
    }
    trap(hart, "store of %u bytes at %s: race: core %u %s it, and there was no barrier since", bytes,
         place(address), other_core(hart, (guard->writers | guard->readers) & lanes),
         guard->writers & lanes & hart->other_lanes ? "wrote" : "read");
}

uint32_t load_slow(Hart *hart, uint32_t address, unsigned bytes)
{
    uint32_t value = 0;
    if ((address & (bytes - 1)) == 0) {
        return device_load(hart, address, bytes);
    }
    if (strict_align || region_of(address) == NULL) {
        trap_misaligned(hart, "load", address, bytes);
    }
    for (unsigned i = 0; i < bytes; i++) {
        value |= load(hart, address + i, 1) << 8 * i;
    }
    return value;
}

void store_slow(Hart *hart, uint32_t address, uint32_t value, unsigned bytes)
{
    if ((address & (bytes - 1)) == 0) {
        device_store(hart, address, value, bytes);
        return;
    }
    if (strict_align || region_of(address) == NULL) {
        trap_misaligned(hart, "store", address, bytes);
    }
    for (unsigned i = 0; i < bytes; i++) {
        store(hart, address + i, value >> 8 * i & 0xff, 1);
    }
}
