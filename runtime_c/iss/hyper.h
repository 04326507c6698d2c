/*
 * HyperRAM and HyperFlash behind the uDMA: transfers between L2 and the external memories.
 *
 * A transfer completes when the program reads that its channel is idle: only then the bytes arrive, and until then
 * the L2 side is held. The status register reports a channel busy once and idle afterwards.
 */
#ifndef TMC_ISS_HYPER_H
#define TMC_ISS_HYPER_H

#include <stdint.h>

#include "hart.h"

/* Set the size of the HyperRAM, and the files that fill RAM and flash from address 0; null: no file. */
void hyper_create(uint32_t ram_bytes, const char *ram_path, const char *flash_path);

/* The uDMA registers, offsets from the start of the uDMA. */
uint32_t hyper_load(Hart *hart, uint32_t offset);
void hyper_store(Hart *hart, uint32_t offset, uint32_t value);

#endif
