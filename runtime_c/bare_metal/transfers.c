/* Transfers on bare metal: core 0 drives the cluster's DMA and the uDMA itself.
 *
 * The DMA has TMC_DMA_QUEUE_ENTRIES ids. Where all of them are taken, a start waits until some transfer is complete and
 * takes its id; that transfer's slot then says so. The HyperBus serves 8 channels with queues of 8 in turn, one transfer
 * at a time: fetches go to them in turn too, and so end in the order of their starts. A channel counts the
 * transfers that are not done; a fetch is done when only later ones are left. Waits poll: an event of the DMA would wake
 * cores out of barriers.
 */
#include "bare_metal.h"
#include "registers.h"

#define COMPLETE 0xFFu

static IN_L1 struct {
    uint32_t used; /* bit i: id i belongs to a slot */
    tmc_transfer *slots[TMC_DMA_QUEUE_ENTRIES];
} dma;

static IN_L1 struct {
    uint32_t channel;                 /* of the next fetch */
    uint32_t started[HYPER_CHANNELS]; /* fetches so far */
    uint32_t done[HYPER_CHANNELS];    /* of them, those known to be complete */
} l3;

void transfers_reset(void)
{
    dma.used = 0;
    l3.channel = 0;
    for (uint32_t i = 0; i < HYPER_CHANNELS; ++i)
        l3.started[i] = l3.done[i] = 0;
}

static void release(uint32_t id)
{
    register_store(DMA_STATUS_ADDRESS, 1u << id);
    dma.used &= ~(1u << id);
}

/** Free the id of some transfer that is complete. */
static void reclaim(void)
{
    uint32_t id = 0;
    while ((register_load(DMA_STATUS_ADDRESS) >> id & 1u) != 0u)
        id = (id + 1u) % TMC_DMA_QUEUE_ENTRIES;
    dma.slots[id]->ticket = COMPLETE;
    release(id);
}

static void start(tmc_transfer *transfer, uint32_t direction, const void *l1, const void *l2, uint32_t lines,
                  uint32_t line_bytes, uint32_t l2_pitch)
{
    const uint32_t command = lines * line_bytes | direction | DMA_INCREMENT;
    if (dma.used == (1u << TMC_DMA_QUEUE_ENTRIES) - 1u)
        reclaim();
    __asm__ volatile("" ::: "memory");
    const uint32_t id = register_load(DMA_QUEUE_ADDRESS);
    const int dense = lines == 1u || l2_pitch == line_bytes;
    register_store(DMA_QUEUE_ADDRESS, dense ? command : command | DMA_LINES);
    register_store(DMA_QUEUE_ADDRESS, (uint32_t)(uintptr_t)l1);
    register_store(DMA_QUEUE_ADDRESS, (uint32_t)(uintptr_t)l2);
    if (!dense) {
        register_store(DMA_QUEUE_ADDRESS, line_bytes);
        register_store(DMA_QUEUE_ADDRESS, l2_pitch);
    }
    dma.used |= 1u << id;
    dma.slots[id] = transfer;
    transfer->ticket = id + 1u;
}

void tmc_dma_in(tmc_transfer *transfer, void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                uint32_t l2_pitch)
{
    start(transfer, DMA_TO_L1, l1, l2, lines, line_bytes, l2_pitch);
}

void tmc_dma_out(tmc_transfer *transfer, void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                 uint32_t l2_pitch)
{
    start(transfer, 0u, l1, l2, lines, line_bytes, l2_pitch);
}

void tmc_dma_wait(tmc_transfer *transfer)
{
    if (transfer->ticket != COMPLETE) {
        const uint32_t id = transfer->ticket - 1u;
        while ((register_load(DMA_STATUS_ADDRESS) >> id & 1u) != 0u)
            ;
        release(id);
    }
    __asm__ volatile("" ::: "memory");
}

/** Wait until the first `number` fetches of a channel are complete. */
static void await_fetches(uint32_t channel, uint32_t number)
{
    const uint32_t later = l3.started[channel] - number;
    uint32_t status;
    do
        status = register_load(HYPER_ADDRESS + channel * HYPER_CHANNEL_BYTES + HYPER_STATUS);
    while (HYPER_PENDING(status) > later || (later == 0u && (status & HYPER_BUSY) != 0u));
    if ((int32_t)(number - l3.done[channel]) > 0)
        l3.done[channel] = number;
}

void tmc_l3_fetch(tmc_transfer *transfer, void *l2, uint32_t l3_offset, uint32_t bytes)
{
    const uint32_t channel = l3.channel;
    const uint32_t registers = HYPER_ADDRESS + channel * HYPER_CHANNEL_BYTES;
    if (l3.started[channel] - l3.done[channel] == HYPER_QUEUE)
        await_fetches(channel, l3.done[channel] + 1u);
    __asm__ volatile("" ::: "memory");
    register_store(registers + HYPER_READ_ADDRESS, (uint32_t)(uintptr_t)l2);
    register_store(registers + HYPER_READ_BYTES, bytes);
    register_store(registers + HYPER_COMMAND, HYPER_COMMAND_READ);
    register_store(registers + HYPER_EXTERNAL, l3_offset);
    register_store(registers + HYPER_READ_START, HYPER_START);
    ++l3.started[channel];
    transfer->ticket = l3.started[channel] * HYPER_CHANNELS + channel;
    l3.channel = (channel + 1u) % HYPER_CHANNELS;
}

void tmc_l3_wait(tmc_transfer *transfer)
{
    await_fetches(transfer->ticket % HYPER_CHANNELS, transfer->ticket / HYPER_CHANNELS);
    __asm__ volatile("" ::: "memory");
}
