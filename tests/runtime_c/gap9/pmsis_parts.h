/* What the parts of the small PMSIS share.
 *
 * It implements tests/runtime_c/pmsis over the hardware that the simulators have: eight cores, a fabric controller,
 * MCHAN, a HyperBus. What it does where, and in what order, is taken from public sources:
 *   [OS]    pulp-platform/pulp-sdk d4b5bcd: rtos/pulpos/common/kernel/alloc.c, rtos/pulpos/pulp/drivers/cluster,
 *           rtos/pulpos/common/include/pos/implem, rtos/pmsis/pmsis_bsp/{ram,fs}
 *   [VEGA]  GreenWaves-Technologies/gap_sdk a230265: rtos/freeRTOS/vendors/gwt/vega/pmsis/cluster
 *   [BUILD] GreenWaves-Technologies/custom_bsp_example 1d5c527: helloworld/build, the listing and the link map of a
 *           program of GAP9's SDK 5.16; meilanny/odl_mibmi 043f50c: the same of 5.15
 */
#ifndef PMSIS_PARTS_H
#define PMSIS_PARTS_H

#include <stdint.h>

/** A heap of chunks without headers: the sizes are the caller's to remember. */
typedef struct heap_chunk {
    uint32_t bytes;
    struct heap_chunk *next;
} heap_chunk;

typedef struct {
    heap_chunk *first;
    uint32_t bytes;
} heap;

/** Make all of [start, end) free. */
void heap_open(heap *of, uint32_t start, uint32_t end);

/** Return the lowest free chunk that has room, its size rounded up to 8; NULL if there is none. */
void *heap_take(heap *of, uint32_t bytes);

/** Free what heap_take gave for the same size. */
void heap_give(heap *of, void *chunk, uint32_t bytes);

/** Tell whether all of a heap is free. */
int heap_is_whole(const heap *of);

/** Fail if anything of L2 is taken. */
void l2_expect_whole(void);

/** Move one step on with what cores have asked the fabric controller for; it calls this while it waits. */
void ram_serve(void);

/** Run entry(argument) on a stack that ends at `stack_end`. */
void call_on_stack(void (*entry)(void *), void *argument, uint8_t *stack_end);

/** End with a message: the firmware has broken a rule of the interface. */
_Noreturn void pmsis_fail(const char *text);

#endif
