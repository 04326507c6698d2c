/* The state of a transfer slot on GAP9: the request that the driver keeps until its wait. */
#ifndef TMC_TRANSFER_H
#define TMC_TRANSFER_H

#include "pmsis.h"

#include "bsp/ram.h"

typedef union {
    pi_cl_dma_copy_t line;
    pi_cl_dma_copy_2d_t lines;
    pi_cl_ram_req_t l3;
} tmc_transfer;

#endif
