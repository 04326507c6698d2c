/* Bytes that something else than a hart reads or writes are held from its start to its completion. */
#ifndef TMC_ISS_TRANSFER_H
#define TMC_ISS_TRANSFER_H

#include <stdint.h>

#include "hart.h"

/* AGAIN: of what was held before, and is the target of something later now. */
typedef enum HoldAction {
    HOLD_SOURCE,
    HOLD_SOURCE_AGAIN,
    HOLD_TARGET,
    HOLD_TARGET_AGAIN,
    RELEASE_SOURCE,
    RELEASE_TARGET,
} HoldAction;

/*
 * Hold a run of bytes, or release it. Traps if it is not inside L1 or L2, is held by something else, or is raced for;
 * on release, `hart` is the one that has waited. At most 31 may read a byte at once.
 */
void hold_run(Hart *hart, HoldAction action, uint32_t address, uint32_t bytes);

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
