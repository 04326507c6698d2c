/*
 * MCHAN, the cluster's DMA between L1 and L2.
 *
 * A transfer completes when its id is freed: only then the bytes arrive, and until then its destination may not be
 * touched and its source not be written. The status register reports a transfer busy once and idle afterwards.
 */
#ifndef TMC_ISS_DMA_H
#define TMC_ISS_DMA_H

#include <stdint.h>

#include "hart.h"

/* What the registers have bits for: ids in one half of the status word, and the field of bytes in a command. */
#define DMA_IDS_MAX 16
#define DMA_BYTES_MAX 0x1ffffu

/* Say how many transfers may be in flight, and how many bytes one may have. */
void dma_create(uint32_t id_count, uint32_t largest_bytes);

uint32_t dma_load(Hart *hart, uint32_t offset);
void dma_store(Hart *hart, uint32_t offset, uint32_t value);

/* Let every transfer reach its end and raise its event: time has passed, as when a core goes to sleep. */
void dma_progress(void);

#endif
