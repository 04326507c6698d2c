#include "transfer.h"

#include <string.h>

#include "memory.h"
#include "trap.h"

static void hold_source(Hart *hart, Guard *guard, uint32_t address, uint32_t lanes)
{
    if (guard->hold & lanes & 0x80808080u) {
        trap(hart, "transfer from %s, which is the destination of a transfer that was not waited for",
             place(address));
    }
    if (guard->writers & lanes & hart->other_lanes) {
        trap(hart, "transfer from %s: race: another core wrote it, and there was no barrier since", place(address));
    }
    guard->hold += lanes & 0x01010101u;
    guard->readers |= lanes & hart->own_lanes;
}

static void hold_target(Hart *hart, Guard *guard, uint32_t address, uint32_t lanes)
{
    if (guard->hold & lanes & 0x20202020u) {
        trap(hart, "transfer to %s, which is code or constant data", place(address));
    }
    if (guard->hold & lanes) {
        trap(hart, "transfer to %s, which is part of a transfer that was not waited for", place(address));
    }
    if ((guard->writers | guard->readers) & lanes & hart->other_lanes) {
        trap(hart, "transfer to %s: race: another core used it, and there was no barrier since", place(address));
    }
    guard->hold |= lanes & 0x80808080u;
    guard->writers |= lanes & hart->own_lanes;
}

void hold_run(Hart *hart, HoldAction action, uint32_t address, uint32_t bytes)
{
    uint32_t end = address + bytes;
    if (memory_bytes(address, bytes) == NULL) {
        trap(hart, "transfer of %u bytes at %s: no memory there", bytes, place(address));
    }
    while (address != end) {
        uint32_t word_end = (address | 3) + 1;
        uint32_t run_end = end < word_end ? end : word_end;
        uint32_t lanes = 0xffffffffu >> 8 * (4 - (run_end - address)) << 8 * (address & 3);
        Guard *guard = memory_guard(address);
        guard_enter_epoch(guard, hart);
        switch (action) {
        case HOLD_SOURCE:
            hold_source(hart, guard, address, lanes);
            break;
        case HOLD_SOURCE_AGAIN:
            guard->hold += lanes & 0x01010101u;
            break;
        case HOLD_TARGET:
            hold_target(hart, guard, address, lanes);
            break;
        case HOLD_TARGET_AGAIN:
            guard->hold |= lanes & 0x80808080u;
            break;
        case RELEASE_SOURCE:
            guard->hold -= lanes & 0x01010101u;
            guard->readers |= lanes & hart->own_lanes;
            break;
        case RELEASE_TARGET:
            guard->hold &= ~(lanes & 0x80808080u);
            guard->writers |= lanes & hart->own_lanes;
            break;
        }
        address = run_end;
    }
}

static uint32_t run_bytes(const Side *side, uint32_t done, uint32_t bytes)
{
    uint32_t left_in_line = side->line - done % side->line;
    return left_in_line < bytes - done ? left_in_line : bytes - done;
}

static uint32_t run_address(const Side *side, uint32_t done)
{
    return side->address + done / side->line * side->stride + done % side->line;
}

static void guard_side(Hart *hart, HoldAction action, const Side *side, uint32_t bytes)
{
    if (side->storage != NULL) {
        return;
    }
    for (uint32_t done = 0, run; done < bytes; done += run) {
        run = run_bytes(side, done, bytes);
        hold_run(hart, action, run_address(side, done), run);
    }
}

static uint8_t *run_storage(const Side *side, uint32_t done, uint32_t run)
{
    uint32_t address = run_address(side, done);
    return side->storage != NULL ? side->storage + address : memory_bytes(address, run);
}

void transfer_start(Hart *hart, const Transfer *transfer)
{
    guard_side(hart, HOLD_SOURCE, &transfer->from, transfer->bytes);
    guard_side(hart, HOLD_TARGET, &transfer->to, transfer->bytes);
}

void transfer_finish(Hart *hart, const Transfer *transfer)
{
    guard_side(hart, RELEASE_SOURCE, &transfer->from, transfer->bytes);
    guard_side(hart, RELEASE_TARGET, &transfer->to, transfer->bytes);
    for (uint32_t done = 0, run; done < transfer->bytes; done += run) {
        uint32_t from_run = run_bytes(&transfer->from, done, transfer->bytes);
        uint32_t to_run = run_bytes(&transfer->to, done, transfer->bytes);
        run = from_run < to_run ? from_run : to_run;
        memcpy(run_storage(&transfer->to, done, run), run_storage(&transfer->from, done, run), run);
    }
}
