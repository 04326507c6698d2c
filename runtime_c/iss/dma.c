#include "dma.h"

#include <stddef.h>

#include "cluster.h"
#include "memory.h"
#include "transfer.h"
#include "trap.h"

enum {
    REGISTER_COMMAND = 0x0, /* Read: allocate an id. Write: the words of a command, one after another. */
    REGISTER_STATUS = 0x4,  /* Read: bit i: id i busy, bit 16 + i: allocated. Write: free ids. */
};

#define TRANSFERS 64

#define COMMAND_BYTES DMA_BYTES_MAX
#define COMMAND_TO_L1 (1u << 17)
#define COMMAND_INCREMENT (1u << 18)
#define COMMAND_2D (1u << 19)
#define COMMAND_EVENT (1u << 20)
#define COMMAND_BROADCAST (1u << 22)
#define COMMAND_KNOWN \
    (COMMAND_BYTES | COMMAND_TO_L1 | COMMAND_INCREMENT | COMMAND_2D | COMMAND_EVENT | COMMAND_BROADCAST)

typedef struct Job {
    Transfer transfer;
    bool used;
    bool busy; /* Not yet at its end. */
    unsigned id;
    unsigned core;
    uint32_t command;
} Job;

/* A command under construction: one per core. */
typedef struct Queue {
    uint32_t words[5];
    unsigned count;
    int id; /* Allocated last by this core; -1: none. */
} Queue;

static Job jobs[TRANSFERS];
static Queue queues[CLUSTER_CORES_MAX] = {
    {.id = -1}, {.id = -1}, {.id = -1}, {.id = -1}, {.id = -1}, {.id = -1}, {.id = -1}, {.id = -1},
};
static uint32_t allocated;
static int ids;
static uint32_t bytes_max;

void dma_create(uint32_t id_count, uint32_t largest_bytes)
{
    ids = (int)id_count;
    bytes_max = largest_bytes;
}

static uint32_t allocate_id(Hart *hart)
{
    for (int id = 0; id < ids; id++) {
        if (!(allocated >> id & 1)) {
            allocated |= 1u << id;
            queues[hart->index].id = id;
            return (uint32_t)id;
        }
    }
    trap(hart, "DMA: all %d transfer ids are in use", ids);
}

static void check_command(const Hart *hart, const Queue *queue)
{
    uint32_t command = queue->words[0], bytes = command & COMMAND_BYTES;
    if (queue->id < 0) {
        trap(hart, "DMA: command without an allocated transfer id");
    }
    if (command & ~COMMAND_KNOWN) {
        trap(hart, "DMA: command 0x%08x has bits that are not modelled", command);
    }
    if (!(command & COMMAND_INCREMENT)) {
        trap(hart, "DMA: command 0x%08x does not increment its addresses", command);
    }
    if (bytes == 0 || bytes > bytes_max) {
        trap(hart, "DMA: found a transfer of %u bytes, allowed 1 to %u", bytes, bytes_max);
    }
    if (memory_bytes(queue->words[1], bytes) == NULL || queue->words[1] >= L2_ADDRESS) {
        trap(hart, "DMA: found %u bytes at 0x%08x on the L1 side, which is not inside L1", bytes, queue->words[1]);
    }
    if (queue->words[2] - l2.address >= l2.bytes) {
        trap(hart, "DMA: found 0x%08x on the external side, which is not in L2", queue->words[2]);
    }
    if ((command & COMMAND_2D) && queue->words[3] == 0) {
        trap(hart, "DMA: found a two-dimensional transfer with lines of 0 bytes");
    }
}

static Job *unused_job(const Hart *hart)
{
    for (unsigned i = 0; i < TRANSFERS; i++) {
        if (!jobs[i].used) {
            return &jobs[i];
        }
    }
    trap(hart, "DMA: more than %d transfers were not waited for", TRANSFERS);
}

static void start_job(Hart *hart, Queue *queue)
{
    check_command(hart, queue);
    uint32_t command = queue->words[0], bytes = command & COMMAND_BYTES;
    bool two_dimensional = command & COMMAND_2D;
    Side local = {NULL, queue->words[1], bytes, 0};
    Side external = {NULL, queue->words[2], two_dimensional ? queue->words[3] : bytes,
                     two_dimensional ? queue->words[4] : 0};
    Job *job = unused_job(hart);
    *job = (Job){
        .transfer = {.from = command & COMMAND_TO_L1 ? external : local,
                     .to = command & COMMAND_TO_L1 ? local : external,
                     .bytes = bytes},
        .used = true,
        .busy = true,
        .id = (unsigned)queue->id,
        .core = hart->index,
        .command = command,
    };
    transfer_start(hart, &job->transfer);
}

void dma_progress(void)
{
    for (unsigned i = 0; i < TRANSFERS; i++) {
        if (jobs[i].used && jobs[i].busy) {
            jobs[i].busy = false;
            if (jobs[i].command & COMMAND_EVENT) {
                uint32_t all = (1u << cluster_cores) - 1;
                event_unit_raise(EVENT_DMA, jobs[i].command & COMMAND_BROADCAST ? all : 1u << jobs[i].core);
            }
        }
    }
}

static uint32_t read_status(void)
{
    uint32_t status = allocated << DMA_IDS_MAX;
    for (unsigned i = 0; i < TRANSFERS; i++) {
        if (jobs[i].used && jobs[i].busy) {
            status |= 1u << jobs[i].id;
        }
    }
    dma_progress();
    return status;
}

static void free_ids(Hart *hart, uint32_t mask)
{
    if (mask & ~allocated) {
        trap(hart, "DMA: free of transfer ids 0x%04x, of which 0x%04x are not in use", mask, mask & ~allocated);
    }
    for (unsigned i = 0; i < TRANSFERS; i++) {
        if (jobs[i].used && (mask >> jobs[i].id & 1)) {
            if (jobs[i].busy) {
                trap(hart, "DMA: transfer id %u is freed while it is busy", jobs[i].id);
            }
            transfer_finish(hart, &jobs[i].transfer);
            jobs[i].used = false;
        }
    }
    allocated &= ~mask;
    for (unsigned core = 0; core < cluster_cores; core++) {
        if (queues[core].id >= 0 && (mask >> queues[core].id & 1)) {
            queues[core].id = -1;
        }
    }
}

uint32_t dma_load(Hart *hart, uint32_t offset)
{
    switch (offset) {
    case REGISTER_COMMAND:
        return allocate_id(hart);
    case REGISTER_STATUS:
        return read_status();
    default:
        trap(hart, "DMA: read of register 0x%x, which is not modelled", offset);
    }
}

void dma_store(Hart *hart, uint32_t offset, uint32_t value)
{
    Queue *queue = &queues[hart->index];
    switch (offset) {
    case REGISTER_COMMAND:
        queue->words[queue->count++] = value;
        if (queue->count == (queue->words[0] & COMMAND_2D ? 5 : 3)) {
            queue->count = 0;
            start_job(hart, queue);
        }
        break;
    case REGISTER_STATUS:
        free_ids(hart, value);
        break;
    default:
        trap(hart, "DMA: write of register 0x%x, which is not modelled", offset);
    }
}
