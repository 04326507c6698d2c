/* Transfers on the host: complete at their wait and not before.
 *
 * From start to wait the destination holds garbage and is poisoned for AddressSanitizer, and the source must
 * keep what it held. With TMC_DMA_THREADS each transfer is a thread of its own instead, which shows a missing
 * wait or barrier to ThreadSanitizer.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host_memory.h"
#include "tmc_platform.h"

static uint32_t in_flight;

void host_expect_idle(void)
{
    if (in_flight != 0u)
        host_fail("run finished with %u transfers in flight", in_flight);
}

static int lies_in(const void *address, uint64_t bytes, const void *memory, uint64_t memory_bytes)
{
    const uintptr_t first = (uintptr_t)address, start = (uintptr_t)memory;
    return first >= start && first - start <= memory_bytes && bytes <= memory_bytes - (first - start);
}

int host_lies_in_l1(const void *address, uint64_t bytes)
{
    const tmc_session *session = host_current.session;
    return lies_in(address, bytes, session->l1, session->network->l1_bytes);
}

/** Tell whether a span lies in the L2 arena or in an output; `also_inputs` allows the inputs. */
static int lies_in_l2(const void *address, uint64_t bytes, int also_inputs)
{
    const tmc_network *network = host_current.session->network;
    int found = lies_in(address, bytes, host_current.session->l2, network->l2_bytes);
    for (uint32_t i = 0; host_current.outputs != NULL && i < network->output_count; ++i)
        found |= lies_in(address, bytes, host_current.outputs[i], network->outputs[i].bytes);
    for (uint32_t i = 0; also_inputs && host_current.inputs != NULL && i < network->input_count; ++i)
        found |= lies_in(address, bytes, host_current.inputs[i], network->inputs[i].bytes);
    return found;
}

static void copy_lines(const tmc_transfer *transfer)
{
    for (uint32_t i = 0; i < transfer->lines; ++i)
        memcpy(transfer->destination + (size_t)i * transfer->destination_pitch,
               transfer->source + (size_t)i * transfer->source_pitch, transfer->line_bytes);
}

#ifdef TMC_DMA_THREADS

static void *transfer_thread(void *transfer)
{
    copy_lines((const tmc_transfer *)transfer);
    return NULL;
}

static void start(tmc_transfer *transfer)
{
    if (pthread_create(&transfer->thread, NULL, transfer_thread, transfer) != 0)
        host_fail("no thread for a transfer");
}

static void finish(tmc_transfer *transfer)
{
    pthread_join(transfer->thread, NULL);
}

#else

static void start(tmc_transfer *transfer)
{
    transfer->seen = malloc((size_t)transfer->lines * transfer->line_bytes);
    if (transfer->seen == NULL)
        host_fail("no memory for a transfer");
    for (uint32_t i = 0; i < transfer->lines; ++i) {
        uint8_t *line = transfer->destination + (size_t)i * transfer->destination_pitch;
        memcpy(transfer->seen + (size_t)i * transfer->line_bytes,
               transfer->source + (size_t)i * transfer->source_pitch, transfer->line_bytes);
        memset(line, HOST_GARBAGE, transfer->line_bytes);
        POISON(line, transfer->line_bytes);
    }
}

static void finish(tmc_transfer *transfer)
{
    for (uint32_t i = 0; i < transfer->lines; ++i) {
        UNPOISON(transfer->destination + (size_t)i * transfer->destination_pitch, transfer->line_bytes);
        if (memcmp(transfer->seen + (size_t)i * transfer->line_bytes,
                   transfer->source + (size_t)i * transfer->source_pitch, transfer->line_bytes) != 0)
            host_fail("source of a transfer changed before its wait, line %u of %u", i, transfer->lines);
    }
    copy_lines(transfer);
    free(transfer->seen);
}

#endif

void host_expect_core_0(const char *call)
{
    if (tmc_core_id() != 0u)
        host_fail("%s called by core %u, allowed core 0", call, tmc_core_id());
    if (host_current.session == NULL)
        host_fail("%s called outside of a run", call);
}

static void begin(tmc_transfer *transfer, tmc_slot_state state, const char *call)
{
    if (transfer->state != TMC_SLOT_IDLE)
        host_fail("%s on a slot whose transfer is still in flight", call);
    transfer->state = state;
    ++in_flight;
    start(transfer);
}

static void end(tmc_transfer *transfer, tmc_slot_state state, const char *call)
{
    host_expect_core_0(call);
    if (transfer->state != state)
        host_fail("%s on a slot without such a transfer", call);
    finish(transfer);
    transfer->state = TMC_SLOT_IDLE;
    --in_flight;
}

static uint64_t checked_span(const char *call, uint32_t lines, uint32_t line_bytes, uint32_t pitch)
{
    const uint64_t bytes = (uint64_t)lines * line_bytes;
    if (bytes == 0u || bytes > TMC_DMA_MAX_BYTES)
        host_fail("%s of %u x %u bytes, allowed 1 to %u", call, lines, line_bytes, TMC_DMA_MAX_BYTES);
    if (lines > 1u && pitch < line_bytes)
        host_fail("%s of lines of %u bytes, %u bytes apart", call, line_bytes, pitch);
    return (uint64_t)(lines - 1u) * pitch + line_bytes;
}

void tmc_dma_in(tmc_transfer *transfer, void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                uint32_t l2_pitch)
{
    host_expect_core_0("tmc_dma_in");
    const uint64_t span = checked_span("tmc_dma_in", lines, line_bytes, l2_pitch);
    if (!host_lies_in_l1(l1, (uint64_t)lines * line_bytes))
        host_fail("tmc_dma_in to outside of the L1 arena");
    if (!lies_in_l2(l2, span, 1))
        host_fail("tmc_dma_in from outside of L2");
    transfer->destination = l1;
    transfer->source = l2;
    transfer->lines = lines;
    transfer->line_bytes = line_bytes;
    transfer->destination_pitch = line_bytes;
    transfer->source_pitch = l2_pitch;
    begin(transfer, TMC_SLOT_DMA, "tmc_dma_in");
}

void tmc_dma_out(tmc_transfer *transfer, void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                 uint32_t l2_pitch)
{
    host_expect_core_0("tmc_dma_out");
    const uint64_t span = checked_span("tmc_dma_out", lines, line_bytes, l2_pitch);
    if (!host_lies_in_l1(l1, (uint64_t)lines * line_bytes))
        host_fail("tmc_dma_out from outside of the L1 arena");
    if (!lies_in_l2(l2, span, 0))
        host_fail("tmc_dma_out to outside of L2");
    transfer->destination = l2;
    transfer->source = l1;
    transfer->lines = lines;
    transfer->line_bytes = line_bytes;
    transfer->destination_pitch = l2_pitch;
    transfer->source_pitch = line_bytes;
    begin(transfer, TMC_SLOT_DMA, "tmc_dma_out");
}

void tmc_dma_wait(tmc_transfer *transfer)
{
    end(transfer, TMC_SLOT_DMA, "tmc_dma_wait");
}

void tmc_l3_fetch(tmc_transfer *transfer, void *l2, uint32_t l3_offset, uint32_t bytes)
{
    host_expect_core_0("tmc_l3_fetch");
    const tmc_session *session = host_current.session;
    if (bytes == 0u || ((uint32_t)(uintptr_t)l2 | l3_offset | bytes) % 4u != 0u)
        host_fail("tmc_l3_fetch of %u bytes from %u, allowed multiples of 4", bytes, l3_offset);
    if ((uint64_t)l3_offset + bytes > session->network->l3_bytes)
        host_fail("tmc_l3_fetch of %u bytes from %u of %u", bytes, l3_offset, session->network->l3_bytes);
    if (!lies_in_l2(l2, bytes, 0))
        host_fail("tmc_l3_fetch to outside of L2");
    transfer->destination = l2;
    transfer->source = (const uint8_t *)session->l3 + l3_offset;
    transfer->lines = 1;
    transfer->line_bytes = bytes;
    transfer->destination_pitch = bytes;
    transfer->source_pitch = bytes;
    begin(transfer, TMC_SLOT_L3, "tmc_l3_fetch");
}

void tmc_l3_wait(tmc_transfer *transfer)
{
    end(transfer, TMC_SLOT_L3, "tmc_l3_wait");
}
