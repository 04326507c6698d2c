/*
 * L1 and L2, and what may not be done to each byte of them.
 *
 * Every aligned word has a guard. Its `hold` says, per byte, that the byte is constant, the source of a transfer
 * in flight, or the destination of one. The rest finds races between cluster cores: two cores touch the same byte,
 * at least one writes, and no barrier lies between. Each core carries the number of the last barrier it has
 * passed, its epoch; a guard remembers who read and who wrote in the newest epoch that touched it. The fabric
 * controller synchronises by polling and is not tracked.
 */
#ifndef TMC_ISS_MEMORY_H
#define TMC_ISS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hart.h"
#include "stacks.h"

#define L1_ADDRESS 0x10000000u
#define L2_ADDRESS 0x1c000000u
/* The private banks, before those that all share. */
#define L2_PRIVATE_BYTES 0x10000u

/* A byte of hold: bits 0 to 4 count the transfers that read the byte. */
#define HOLD_CONSTANT 0x20u
#define HOLD_DESTINATION 0x80u

typedef struct Guard {
    uint32_t epoch;
    uint32_t readers; /* One byte per byte of the word, one bit per cluster core. */
    uint32_t writers;
    uint32_t hold;
} Guard;

typedef struct Region {
    uint32_t address;
    uint32_t bytes;
    uint8_t *data;
    Guard *guards;
} Region;

extern Region l1, l2;
extern bool strict_align;

/* calloc that does not return on failure. */
void *allocate(size_t count, size_t bytes);

/* Create the memories, filled with rubbish, as after power-up. l2_bytes: of the shared banks. */
void memory_create(uint32_t l1_bytes, uint32_t l2_bytes);

/* Return the storage of a range of L1 or L2, or null if it is not inside one of them. */
uint8_t *memory_bytes(uint32_t address, uint32_t bytes);

/* Mark a range constant: stores trap. Ranges outside the memories are ignored. */
void memory_protect(uint32_t address, uint32_t bytes);

/* Return the guard of the word that holds an address of L1 or L2. */
Guard *memory_guard(uint32_t address);

/* Start a new epoch and return its number. */
uint32_t memory_new_epoch(void);

/* The paths that are taken seldom: devices, misalignment, traps. */
uint32_t load_slow(Hart *hart, uint32_t address, unsigned bytes);
void store_slow(Hart *hart, uint32_t address, uint32_t value, unsigned bytes);
_Noreturn void trap_load(const Hart *hart, uint32_t address, unsigned bytes);
_Noreturn void trap_store(const Hart *hart, uint32_t address, unsigned bytes);

static inline const Region *region_of(uint32_t address)
{
    if (address - L1_ADDRESS < l1.bytes) {
        return &l1;
    }
    return address - L2_ADDRESS < l2.bytes ? &l2 : NULL;
}

/* Return the bytes of a guard's words that an aligned access covers. */
static inline uint32_t lanes_of(uint32_t address, unsigned bytes)
{
    uint32_t lanes = bytes == 4 ? 0xffffffffu : bytes == 2 ? 0xffffu : 0xffu;
    return lanes << 8 * (address & 3);
}

/* Forget what earlier epochs did: a barrier lies between. */
static inline void guard_enter_epoch(Guard *guard, const Hart *hart)
{
    if (guard->epoch < hart->epoch) {
        guard->epoch = hart->epoch;
        guard->readers = 0;
        guard->writers = 0;
    }
}

/* Load 1, 2 or 4 bytes, zero-extended; traps as described above. */
static inline uint32_t load(Hart *hart, uint32_t address, unsigned bytes)
{
    const Region *region = region_of(address);
    if (region == NULL || (address & (bytes - 1)) != 0) {
        return load_slow(hart, address, bytes);
    }
    uint32_t offset = address - region->address, value = 0;
    uint32_t lanes = lanes_of(address, bytes);
    Guard *guard = &region->guards[offset >> 2];
    guard_enter_epoch(guard, hart);
    if (((guard->hold & 0x80808080u) | (guard->writers & hart->other_lanes)) & lanes) {
        trap_load(hart, address, bytes);
    }
    guard->readers |= lanes & hart->own_lanes;
    memcpy(&value, region->data + offset, bytes);
    return value;
}

/* Store 1, 2 or 4 bytes; traps as described above. */
static inline void store(Hart *hart, uint32_t address, uint32_t value, unsigned bytes)
{
    const Region *region = region_of(address);
    if (region == NULL || (address & (bytes - 1)) != 0) {
        store_slow(hart, address, value, bytes);
        return;
    }
    if (address - stacks.begin < stacks.bytes) {
        stacks_check_store(hart, address, bytes);
    }
    uint32_t offset = address - region->address;
    uint32_t lanes = lanes_of(address, bytes);
    Guard *guard = &region->guards[offset >> 2];
    guard_enter_epoch(guard, hart);
    if ((guard->hold | ((guard->writers | guard->readers) & hart->other_lanes)) & lanes) {
        trap_store(hart, address, bytes);
    }
    guard->writers |= lanes & hart->own_lanes;
    memcpy(region->data + offset, &value, bytes);
}

#endif
