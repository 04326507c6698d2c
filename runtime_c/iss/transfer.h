/* A copy between memories that is under way: its bytes are held from start to completion. */
#ifndef TMC_ISS_TRANSFER_H
#define TMC_ISS_TRANSFER_H

#include <stdint.h>

#include "hart.h"

/* One end of a transfer: byte i is at address + i / line * stride + i % line. */
typedef struct Side {
    uint8_t *storage; /* Of a memory that harts cannot address; null: address is one of L1 or L2. */
    uint32_t address;
    uint32_t line;
    uint32_t stride;
} Side;

typedef struct Transfer {
    Side from, to;
    uint32_t bytes;
} Transfer;

/* Hold both ends. Traps if one is not inside L1 or L2, is held by another transfer, or is raced for. */
void transfer_start(Hart *hart, const Transfer *transfer);

/* Copy, and release both ends; `hart` is the one that has waited. */
void transfer_finish(Hart *hart, const Transfer *transfer);

#endif
