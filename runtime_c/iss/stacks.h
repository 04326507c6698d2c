/*
 * The stacks of the cluster's cores: equal parts of what lies between the symbols l1_stacks_start and l1_stacks_end,
 * that of core 0 first. A program without these symbols has none that are known.
 */
#ifndef TMC_ISS_STACKS_H
#define TMC_ISS_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "hart.h"

typedef struct Stacks {
    uint32_t begin;
    uint32_t bytes; /* Of all of them. */
} Stacks;

extern Stacks stacks;

/* Look the symbols of the program up. */
void stacks_find(void);

/* Trap on a store to one of the stacks, unless it is the hart's own. */
void stacks_check_store(const Hart *hart, uint32_t address, unsigned bytes);

/* Return whether a hart's stack pointer has left its stack for another one, or for what lies just before all. */
bool stacks_overflowed(const Hart *hart);

#endif
