/* Everything that a load or store outside L1 and L2 may reach. */
#ifndef TMC_ISS_DEVICE_H
#define TMC_ISS_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "hart.h"

/* A core's own window on event unit and DMA. */
#define EVENT_UNIT_ADDRESS 0x00204000u
#define EVENT_UNIT_BYTES 0x400u

uint32_t device_load(Hart *hart, uint32_t address, unsigned bytes);
void device_store(Hart *hart, uint32_t address, uint32_t value, unsigned bytes);

/* Whether the program has written the exit register, and its status. */
extern bool program_exited;
extern uint32_t program_status;

#endif
