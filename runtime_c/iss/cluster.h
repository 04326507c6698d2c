/*
 * Cluster control and the event unit.
 *
 * Every core has a buffer of pending events and a mask of those that may wake it. A core waits by reading a wait
 * register with p.elw: it sleeps until the buffer has an event of the mask. A barrier is a trigger mask of cores
 * that must arrive and a target mask of cores that then get EVENT_BARRIER.
 */
#ifndef TMC_ISS_CLUSTER_H
#define TMC_ISS_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "hart.h"

enum { EVENT_DMA = 8, EVENT_NE16 = 12, EVENT_BARRIER = 16 };

/* Cluster control: which cores run, and where they start. */
uint32_t cluster_control_load(Hart *hart, uint32_t offset);
void cluster_control_store(Hart *hart, uint32_t offset, uint32_t value);

/* The event unit as one core sees it, offsets from the core's own window. */
uint32_t event_unit_load(Hart *hart, uint32_t offset);
void event_unit_store(Hart *hart, uint32_t offset, uint32_t value);

/* Trigger software event 0 to 7 for the cores of a mask; 0 means all. */
void event_unit_software_event(Hart *hart, uint32_t event, uint32_t core_mask);

/* Put an event into the buffers of the cores of a mask. */
void event_unit_raise(unsigned event, uint32_t core_mask);

/*
 * Execute a p.elw. Return true with its value, or false if the hart has to sleep and repeat it.
 * Traps if the address is no wait register, and if a core would leave a barrier before all have arrived.
 */
bool event_unit_wait(Hart *hart, uint32_t address, uint32_t *value);

/* Forget that a core waits, because it is switched off. */
void event_unit_cancel(const Hart *hart);

/* Return the barrier at which a core sleeps, or -1. */
int event_unit_barrier_of(unsigned core);

#endif
