/* A network that only moves bytes: every kind of transfer that the platform has to get right.
 *
 * The input is INPUT_BYTES of any content, the image in L3 IMAGE_BYTES of expected(). Each stage writes the number
 * of wrong bytes that it found to its word of the output. FAULT breaks one rule.
 */
#include "tmc_platform.h"

enum { INPUT_BYTES = 16384, IMAGE_BYTES = 1 << 20, LARGE_BYTES = 100001 };
enum { TRANSFERS = 40, FETCHES = 90, SLOTS = FETCHES + 1 };
enum { LINES = 61, LINE_BYTES = 37, PITCH = 101 };
enum { L1_BYTES = 98 * 1024, L2_BYTES = IMAGE_BYTES + 2 * 65536 };
enum { STAGES = 9 };

/* The order is that of FAULTS in test_bare_metal.py. */
enum { NO_FAULT, NO_DMA_WAIT, NO_L3_WAIT, NO_BARRIER, WILD_ACCESS, DEEP_STACK };
#ifndef FAULT
#define FAULT NO_FAULT
#endif
#ifndef EXTRA_L2_BYTES
#define EXTRA_L2_BYTES 0
#endif

static tmc_transfer slots[SLOTS];
static volatile uint32_t wrong[STAGES][TMC_CORES];

static uint8_t expected(uint32_t position)
{
    return (uint8_t)(position * 2654435761u >> 24);
}

/** Count, on all cores, the bytes of data that are not those of the image from `position`. */
static void compare(uint32_t stage, const uint8_t *data, uint32_t bytes, uint32_t position)
{
    const uint32_t core = tmc_core_id();
    uint32_t count = 0;
    for (uint32_t i = core; i < bytes; i += TMC_CORES)
        count += data[i] != expected(position + i);
    wrong[stage][core] += count;
}

/** Stage 0: all of the image in one fetch. */
static void fetch(const tmc_context *context)
{
    if (tmc_core_id() == 0u) {
        tmc_l3_fetch(&slots[0], context->l2, 0, IMAGE_BYTES);
        if (FAULT != NO_L3_WAIT)
            tmc_l3_wait(&slots[0]);
    }
    tmc_barrier();
    compare(0, context->l2, IMAGE_BYTES / 16, 0);
    compare(0, context->l2 + IMAGE_BYTES - 4096, 4096, IMAGE_BYTES - 4096);
}

/** Stage 1: the longest transfer, in and out, from and to odd addresses of L2. */
static void large(const tmc_context *context)
{
    uint8_t *back = context->l2 + IMAGE_BYTES + 1;
    if (tmc_core_id() == 0u) {
        tmc_dma_in(&slots[0], context->l1 + 4, context->l2 + 3, 1, LARGE_BYTES, 0);
        if (FAULT != NO_DMA_WAIT)
            tmc_dma_wait(&slots[0]);
    }
    if (FAULT != NO_BARRIER)
        tmc_barrier();
    compare(1, context->l1 + 4, LARGE_BYTES, 3);
    tmc_barrier();
    if (tmc_core_id() == 0u) {
        tmc_dma_out(&slots[0], back, context->l1 + 4, 1, LARGE_BYTES, 0);
        tmc_dma_wait(&slots[0]);
    }
    tmc_barrier();
    compare(1, back, LARGE_BYTES, 3);
}

/** Stage 2: lines in, lines out; what lies between the lines stays. */
static void lines(const tmc_context *context)
{
    uint8_t *area = context->l2 + IMAGE_BYTES;
    const uint32_t core = tmc_core_id();
    for (uint32_t i = core; i < LINES * PITCH; i += TMC_CORES)
        area[i] = 0x5A;
    if (core == 0u)
        tmc_dma_in(&slots[0], context->l1, context->l2 + 777, LINES, LINE_BYTES, PITCH);
    if (core == 0u)
        tmc_dma_wait(&slots[0]);
    tmc_barrier();
    for (uint32_t line = 0; line < LINES; ++line)
        compare(2, context->l1 + line * LINE_BYTES, LINE_BYTES, 777 + line * PITCH);
    tmc_barrier();
    if (core == 0u) {
        tmc_dma_out(&slots[0], area, context->l1, LINES, LINE_BYTES, PITCH);
        tmc_dma_wait(&slots[0]);
    }
    tmc_barrier();
    for (uint32_t line = 0; line < LINES; ++line) {
        compare(2, area + line * PITCH, LINE_BYTES, 777 + line * PITCH);
        for (uint32_t i = LINE_BYTES + core; line + 1u < LINES && i < PITCH; i += TMC_CORES)
            wrong[2][core] += area[line * PITCH + i] != 0x5A;
    }
}

/** Stage 3: more transfers at once than the DMA has ids, waited for from the last to the first. */
static void many(const tmc_context *context)
{
    if (tmc_core_id() == 0u) {
        for (uint32_t i = 0; i < TRANSFERS; ++i)
            tmc_dma_in(&slots[i], context->l1 + 1024u * i, context->l2 + 4099u * i, 1, 1024u - i, 0);
        for (uint32_t i = TRANSFERS; i-- > 0u;)
            tmc_dma_wait(&slots[i]);
    }
    tmc_barrier();
    for (uint32_t i = 0; i < TRANSFERS; ++i)
        compare(3, context->l1 + 1024u * i, 1024u - i, 4099u * i);
}

/** Stage 4: more fetches at once than the HyperBus queues, with a transfer behind them. */
static void mixed(const tmc_context *context)
{
    uint8_t *area = context->l2 + IMAGE_BYTES;
    if (tmc_core_id() == 0u) {
        for (uint32_t i = 0; i < FETCHES; ++i)
            tmc_l3_fetch(&slots[i], area + 512u * i, 40000u + 8192u * i, 512u - 4u * i);
        tmc_dma_in(&slots[FETCHES], context->l1, context->inputs[0], 1, INPUT_BYTES, 0);
        tmc_dma_wait(&slots[FETCHES]);
        for (uint32_t i = FETCHES; i-- > 0u;)
            tmc_l3_wait(&slots[i]);
    }
    tmc_barrier();
    for (uint32_t i = 0; i < FETCHES; ++i)
        compare(4, area + 512u * i, 512u - 4u * i, 40000u + 8192u * i);
    for (uint32_t i = tmc_core_id(); i < INPUT_BYTES; i += TMC_CORES)
        wrong[4][tmc_core_id()] += context->l1[i] != context->inputs[0][i];
}

/** Stage 5: a value goes around all cores, one step a barrier, while transfers complete. */
static void barriers(const tmc_context *context)
{
    volatile uint32_t *ring = (volatile uint32_t *)(void *)(context->l1 + 65536);
    const uint32_t core = tmc_core_id();
    ring[core] = core;
    for (uint32_t i = 0; i < 64u; ++i) {
        if (core == 0u)
            tmc_dma_in(&slots[i % 2u], context->l1 + 4096u * (i % 2u), context->l2, 1, 40u + 60u * i, 0);
        tmc_barrier();
        const uint32_t next = ring[(core + 1u) % TMC_CORES] + 1u;
        /* A core that is late on purpose. */
        for (volatile uint32_t wait = 0; core == i % TMC_CORES && wait < 50u; ++wait)
            ;
        tmc_barrier();
        ring[core] = next;
        if (core == 0u)
            tmc_dma_wait(&slots[i % 2u]);
    }
    wrong[5][core] += ring[core] != (core + 64u) % TMC_CORES + 64u;
}

/** Stages 6 to 8: cores at work, a fetch and transfers on their own, and all at the same time. */
static void __attribute__((noinline)) overlap(const tmc_context *context, uint32_t stage)
{
    const uint32_t core = tmc_core_id();
    volatile uint32_t *sums = (volatile uint32_t *)(void *)(context->l1 + 65536);
    sums[core] = 0;
    for (uint32_t round = 0; round < 8u; ++round) {
        if (core == 0u && stage != 6u && round == 0u)
            tmc_l3_fetch(&slots[2], context->l2, 0, 32768);
        if (core == 0u && stage != 6u)
            for (uint32_t i = 0; i < 2u; ++i)
                tmc_dma_in(&slots[i], context->l1 + 32768u * i, context->l2 + 65536u, 1, 32768, 0);
        for (uint32_t i = 0; stage != 7u && i < 1000u; ++i)
            sums[core] += i;
        if (core == 0u && stage != 6u)
            for (uint32_t i = 0; i < 2u; ++i)
                tmc_dma_wait(&slots[i]);
        tmc_barrier();
    }
    if (core == 0u && stage != 6u)
        tmc_l3_wait(&slots[2]);
    tmc_barrier();
    wrong[stage][core] += sums[core] != (stage == 7u ? 0u : 8u * 499500u);
    if (stage != 6u)
        compare(stage, context->l2, 4096, 0);
}

/** Use more stack than a core has, in a way that the check of the build does not see. */
static void dig(void)
{
    uint32_t saved;
    __asm__ volatile("sw sp, 0(%0)\nmv t0, sp\naddi sp, sp, -928\n"
                     "1: addi t0, t0, -4\nsw zero, 0(t0)\nbne t0, sp, 1b\n"
                     "lw sp, 0(%0)"
                     : : "r"(&saved) : "t0", "memory");
}

static void misuse(const tmc_context *context)
{
    if (FAULT == WILD_ACCESS && tmc_core_id() == 2u)
        *(volatile uint32_t *)(void *)(context->l1 + 131072) = 1;
    if (FAULT == DEEP_STACK && tmc_core_id() == 7u)
        dig();
    tmc_barrier();
}

#define CHECK(stage, check) (tmc_stage(stage), check, tmc_barrier())

static void transfers_entry(void *argument)
{
    const tmc_context *context = argument;
    for (uint32_t stage = 0; stage < STAGES; ++stage)
        wrong[stage][tmc_core_id()] = 0;
    misuse(context);
    CHECK(0, fetch(context));
    CHECK(1, large(context));
    CHECK(2, lines(context));
    CHECK(3, many(context));
    CHECK(4, mixed(context));
    CHECK(5, barriers(context));
    for (uint32_t stage = 6; stage < STAGES; ++stage)
        CHECK(stage, overlap(context, stage));
    uint32_t *output = (uint32_t *)(void *)context->outputs[0];
    for (uint32_t stage = 0; tmc_core_id() == 0u && stage < STAGES; ++stage) {
        output[stage] = 0;
        for (uint32_t core = 0; core < TMC_CORES; ++core)
            output[stage] += wrong[stage][core];
    }
}

static const tmc_port inputs[] = {{"in", INPUT_BYTES}};
static const tmc_port outputs[] = {{"out", 4 * STAGES}};

extern const tmc_network transfers_network;
const tmc_network transfers_network = {
    .name = "transfers",
    .inputs = inputs,
    .input_count = 1,
    .outputs = outputs,
    .output_count = 1,
    .l1_bytes = L1_BYTES,
    .l2_bytes = EXTRA_L2_BYTES + L2_BYTES,
    .l3_bytes = IMAGE_BYTES,
    .l3_checksum = WEIGHTS_CHECKSUM,
    .entry = transfers_entry,
};
