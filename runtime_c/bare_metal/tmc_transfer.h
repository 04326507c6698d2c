/* The state of a transfer slot on bare metal. All zero is idle. */
#ifndef TMC_TRANSFER_H
#define TMC_TRANSFER_H

#include <stdint.h>

typedef struct {
    uint32_t ticket; /* 1 + id of the DMA; or channel of the HyperBus + 8 * number of the fetch there */
} tmc_transfer;

#endif
