/* What generated code and main programs need from a platform: cores, transfers, memories, runs, tracing.
 *
 * Memories: L1 (the cluster's), L2 (the chip's), L3 (external, holds the image `weights.bin`). L1 and L2 are
 * one arena each, of the sizes that the network's descriptor states; inputs and outputs are buffers of the
 * caller, in L2.
 *
 * Transfers are asynchronous. Between its start and its wait the destination of a transfer must not be
 * touched and its source must not be written. Only core 0 starts transfers and waits for them; a barrier
 * hands the data to the other cores. One `tmc_transfer` is one slot: at most one transfer is in flight on it,
 * every start has exactly one wait. A slot of static storage is idle at the start.
 */
#ifndef TMC_PLATFORM_H
#define TMC_PLATFORM_H

#include <stdint.h>

#include "tmc_cores.h"
/* Defines `tmc_transfer`, the state of one slot; each platform has its own. */
#include "tmc_transfer.h"

/** Start a copy of `lines` lines of `line_bytes` from L2, `l2_pitch` bytes apart, to L1, where they lie
 *  densely. lines * line_bytes is 1 to TMC_DMA_MAX_BYTES; l2_pitch >= line_bytes, ignored for one line.
 *  Core 0 only. */
void tmc_dma_in(tmc_transfer *transfer, void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                uint32_t l2_pitch);

/** Start a copy of `lines` dense lines of `line_bytes` in L1 to L2, `l2_pitch` bytes apart; limits as above.
 *  Core 0 only. */
void tmc_dma_out(tmc_transfer *transfer, void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                 uint32_t l2_pitch);

/** Return when the transfer that tmc_dma_in or tmc_dma_out started on this slot is complete. Core 0 only. */
void tmc_dma_wait(tmc_transfer *transfer);

/** Start a copy of `bytes` bytes from offset `l3_offset` of the network's L3 image to L2. Offset, address and
 *  size are multiples of 4; there is no upper limit. Core 0 only. */
void tmc_l3_fetch(tmc_transfer *transfer, void *l2, uint32_t l3_offset, uint32_t bytes);

/** Return when the transfer that tmc_l3_fetch started on this slot is complete. Core 0 only. */
void tmc_l3_wait(tmc_transfer *transfer);

/** One traced value: its image is [rows][row_bytes], dense. */
typedef struct {
    const char *name;
    uint32_t rows;
    uint32_t row_bytes;
} tmc_traced_value;

/** One input or output of a network: a buffer of the caller of `bytes` bytes, dense, row by row. */
typedef struct {
    const char *name;
    uint32_t bytes;
} tmc_port;

/** What the entry functions of a network get: the two arenas and, in a run, the caller's buffers, one for each
 *  input and output in the order of the descriptor; all 4-byte aligned. */
typedef struct {
    uint8_t *l1;
    uint8_t *l2;
    const uint8_t *const *inputs;
    uint8_t *const *outputs;
} tmc_context;

/** A network, as generated code describes it. */
typedef struct {
    const char *name;
    const tmc_port *inputs;
    uint32_t input_count;
    const tmc_port *outputs;
    uint32_t output_count;
    uint32_t l1_bytes;
    uint32_t l2_bytes;
    uint32_t l3_bytes;              /* size of weights.bin, a multiple of 4 */
    uint32_t l3_checksum;           /* CRC-32 of weights.bin (polynomial 0xEDB88320, as zlib's) */
    void (*entry)(void *context);   /* tmc_context *; all cores run it */
    void (*init)(void *context);    /* likewise, once, when the network is opened; NULL: nothing to do */
    const tmc_traced_value *values; /* indexed by the first argument of tmc_trace */
    uint32_t value_count;
} tmc_network;

/** An open network. Its fields are the platform's; `cycles` and `traced` may be read. */
typedef struct {
    const tmc_network *network;
    uint8_t *l1;
    uint8_t *l2;
    uintptr_t l3;    /* address of the image in L3 */
    uint8_t *kept;   /* host: what init left in L2; else NULL */
    uint8_t *traced; /* with TMC_TRACE: images of the traced values, one after the other; else NULL */
    uint32_t cycles; /* cluster cycles of the last run; 0 where the platform has no counter */
} tmc_session;

typedef enum {
    TMC_OK = 0,
    TMC_ERROR_MEMORY = -1,  /* an arena could not be allocated */
    TMC_ERROR_WEIGHTS = -2, /* no such image, or not the one this network was compiled with */
    TMC_ERROR_DEVICE = -3   /* the cluster or a memory could not be opened */
} tmc_status;

/** Allocate the arenas, put the image `weights` into L3 and run the network's init. What init leaves in L2
 *  is there in every run. `weights` is a path on the host and a name in the read-only file system on GAP9.
 *  Return TMC_OK or a tmc_status below 0, with nothing left allocated. */
int tmc_open(tmc_session *session, const tmc_network *network, const char *weights);

/** Run the network once: inputs[i] and outputs[i] are what the descriptor's port i says, in L2, 4-byte aligned,
 *  and the two lists of addresses lie where the cores reach them, in L2 too. One run at a time. Return TMC_OK or a
 *  tmc_status below 0. */
int tmc_run(tmc_session *session, const uint8_t *const *inputs, uint8_t *const *outputs);

/** Give back what tmc_open took. */
void tmc_close(tmc_session *session);

/** Run entry(argument) on all cores and return when all have returned; TMC_OK or a tmc_status below 0. */
int tmc_cluster_run(void (*entry)(void *), void *argument);

#ifdef TMC_STAGES
/** Say that stage `number` of the network begins: its cycles are counted from here. All cores call it. */
void tmc_stage(uint32_t number);
#else
static inline void tmc_stage(uint32_t number)
{
    (void)number;
}
#endif

#ifdef TMC_TRACE
/** Copy a tile of value number `value` into its image: `rows` rows of `row_bytes`, `pitch` bytes apart, to
 *  row `row0` and on, byte `column0_bytes` of each. All cores call it, right after the kernel that made the
 *  tile: they meet at a barrier, core 0 copies, they meet again. */
void tmc_trace(uint32_t value, const void *data, uint32_t rows, uint32_t row_bytes, uint32_t pitch,
               uint32_t row0, uint32_t column0_bytes);
#else
static inline void tmc_trace(uint32_t value, const void *data, uint32_t rows, uint32_t row_bytes,
                             uint32_t pitch, uint32_t row0, uint32_t column0_bytes)
{
    (void)value, (void)data, (void)rows, (void)row_bytes, (void)pitch, (void)row0, (void)column0_bytes;
}
#endif

#endif
