/* Transfers on GAP9: the cluster's DMA for L1, requests to the fabric controller for L3. */
#include <stddef.h>

#include "gap9_memory.h"
#include "tmc_platform.h"

/** The transfers in flight, each where its number modulo the ids of the DMA says; core 0's. The driver asks for an id
 *  per transfer and does not look whether there is one. */
static struct {
    uint32_t started;
    tmc_transfer *slots[TMC_DMA_QUEUE_ENTRIES];
} dma;

/** Give a transfer a place; the one that has it, the oldest, is waited for. */
static void enter(tmc_transfer *transfer)
{
    const uint32_t place = dma.started++ % TMC_DMA_QUEUE_ENTRIES;
    if (dma.slots[place] != NULL)
        pi_cl_dma_wait(&dma.slots[place]->line);
    dma.slots[place] = transfer;
    transfer->place = place;
}

static void start(tmc_transfer *transfer, const void *l2, const void *l1, pi_cl_dma_dir_e direction,
                  uint32_t lines, uint32_t line_bytes, uint32_t l2_pitch)
{
    enter(transfer);
    if (lines == 1u) {
        transfer->line = (pi_cl_dma_copy_t){
            .ext = (uint32_t)(uintptr_t)l2,
            .loc = (uint32_t)(uintptr_t)l1,
            .size = line_bytes,
            .dir = direction,
        };
        pi_cl_dma_memcpy(&transfer->line);
    } else {
        transfer->lines = (pi_cl_dma_copy_2d_t){
            .ext = (uint32_t)(uintptr_t)l2,
            .loc = (uint32_t)(uintptr_t)l1,
            .size = lines * line_bytes,
            .stride = l2_pitch,
            .length = line_bytes,
            .dir = direction,
        };
        pi_cl_dma_memcpy_2d(&transfer->lines);
    }
}

void tmc_dma_in(tmc_transfer *transfer, void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                uint32_t l2_pitch)
{
    start(transfer, l2, l1, PI_CL_DMA_DIR_EXT2LOC, lines, line_bytes, l2_pitch);
}

void tmc_dma_out(tmc_transfer *transfer, void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                 uint32_t l2_pitch)
{
    start(transfer, l2, l1, PI_CL_DMA_DIR_LOC2EXT, lines, line_bytes, l2_pitch);
}

void tmc_dma_wait(tmc_transfer *transfer)
{
    /* Else a later start has waited for it. */
    if (dma.slots[transfer->place] == transfer) {
        pi_cl_dma_wait(&transfer->line);
        dma.slots[transfer->place] = NULL;
    }
}

void tmc_l3_fetch(tmc_transfer *transfer, void *l2, uint32_t l3_offset, uint32_t bytes)
{
    pi_cl_ram_read(&gap9_ram, gap9_l3_image + l3_offset, l2, bytes, &transfer->l3);
}

void tmc_l3_wait(tmc_transfer *transfer)
{
    pi_cl_ram_read_wait(&transfer->l3);
}
