/* The cores as a test of kernels needs them: one after the other, in the order that the test wants. */
#include <stdlib.h>

#include "tmc_cores.h"

void set_core(uint32_t number);

static uint32_t core;

void set_core(uint32_t number)
{
    core = number;
}

uint32_t tmc_core_id(void)
{
    return core;
}

void tmc_barrier(void)
{
    /* Kernels do not synchronise. */
    abort();
}
