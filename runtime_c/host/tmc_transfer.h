/* The state of a transfer slot on the host. All zero is idle. */
#ifndef TMC_TRANSFER_H
#define TMC_TRANSFER_H

#include <pthread.h>
#include <stdint.h>

typedef enum { TMC_SLOT_IDLE = 0, TMC_SLOT_DMA, TMC_SLOT_L3 } tmc_slot_state;

typedef struct {
    tmc_slot_state state;
    uint8_t *destination;
    const uint8_t *source;
    uint32_t lines;
    uint32_t line_bytes;
    uint32_t destination_pitch;
    uint32_t source_pitch;
#ifdef TMC_DMA_THREADS
    pthread_t thread;
#else
    uint8_t *seen; /* what the source held at the start */
#endif
} tmc_transfer;

#endif
