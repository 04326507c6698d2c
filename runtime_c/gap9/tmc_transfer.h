/* The state of a transfer slot on GAP9: the request that the driver keeps until its wait. */
#ifndef TMC_TRANSFER_H
#define TMC_TRANSFER_H

#include "pmsis.h"

#include "bsp/bsp.h"

typedef struct {
    union {
        pi_cl_dma_copy_t line;
        pi_cl_dma_copy_2d_t lines;
        pi_cl_ram_req_t l3;
    };
    uint32_t place; /* of a DMA transfer among those in flight */
} tmc_transfer;

#endif
