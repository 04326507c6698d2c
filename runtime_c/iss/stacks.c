#include "stacks.h"

#include "program.h"
#include "trap.h"

enum { SP = 2 };

/* How far before all stacks a stack pointer still is one. Kernels use the register for other things too. */
#define BEFORE_BYTES 0x4000u

Stacks stacks;

void stacks_find(void)
{
    uint32_t begin, end;
    if (program_address("l1_stacks_start", &begin) && program_address("l1_stacks_end", &end) && begin < end) {
        stacks = (Stacks){begin, end - begin};
    }
}

static uint32_t stack_begin(uint32_t core)
{
    return stacks.begin + core * (stacks.bytes / cluster_cores);
}

void stacks_check_store(const Hart *hart, uint32_t address, unsigned bytes)
{
    uint32_t owner = (address - stacks.begin) / (stacks.bytes / cluster_cores);
    if (owner != hart->index) {
        trap(hart, "store of %u bytes at %s: in the stack of core %u", bytes, place(address), owner);
    }
}

bool stacks_overflowed(const Hart *hart)
{
    if (stacks.bytes == 0 || hart->index == FABRIC_CONTROLLER) {
        return false;
    }
    uint32_t below = stack_begin(hart->index) - hart->x[SP];
    return below - 1 < hart->index * (stacks.bytes / cluster_cores) + BEFORE_BYTES;
}
