/*
 * NE16, the accelerator of GAP9's cluster, as far as it multiplies rows by a matrix: its 1x1 mode on 8-bit inputs.
 *
 * Two contexts take jobs in turn: acquire one, write its registers, trigger it. Jobs run one after the other. As with
 * transfers, a job's results arrive when the program has learnt that it ended: when a read of the status, or the
 * acquiring of its context, shows the context free. Until then what it reads may not be written, and what it writes
 * may not be touched. A context shows busy in one read of the status at least.
 */
#ifndef TMC_ISS_NE16_H
#define TMC_ISS_NE16_H

#include <stdint.h>

#include "hart.h"

#define NE16_WORDS 24 /* Registers of a job. */

uint32_t ne16_load(Hart *hart, uint32_t offset);
void ne16_store(Hart *hart, uint32_t offset, uint32_t value);

/* Let the oldest job reach its end and raise its event: time has passed, as when a core goes to sleep. */
void ne16_progress(void);

#endif
