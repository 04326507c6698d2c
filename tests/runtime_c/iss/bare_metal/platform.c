#include "platform.h"

static volatile uint32_t done[8];

extern void _start(void);

void put_char(char character)
{
    uint32_t hart = hart_id();
    *(volatile uint8_t *)(CONSOLE + ((hart >> 5) << 7) + ((hart & 31) << 3)) = (uint8_t)character;
}

void finish(uint32_t status)
{
    REGISTER(SOC_EXIT) = 0x80000000u | status;
    for (;;) {
    }
}

void core_begin(uint32_t cores)
{
    REGISTER(EVENT_MASK) = EVENT_BIT_BARRIER;
    REGISTER(BARRIER(0) + BARRIER_TRIGGER_MASK) = (1u << cores) - 1;
    REGISTER(BARRIER(0) + BARRIER_TARGET_MASK) = (1u << cores) - 1;
}

void core_done(void)
{
    done[hart_id()] = 1;
    REGISTER(EVENT_MASK) = EVENT_BIT_CONTINUE;
    event_load(EVENT_WAIT_CLEAR);
    REGISTER(EVENT_MASK) = EVENT_BIT_BARRIER;
}

void cluster_start(uint32_t cores)
{
    REGISTER(CLUSTER_CACHE) = 0xffffffffu;
    for (uint32_t core = 0; core < cores; core++) {
        done[core] = 0;
        REGISTER(CLUSTER_BOOT_ADDRESS(core)) = (uint32_t)_start;
    }
    REGISTER(CLUSTER_FETCH_ENABLE) = (1u << cores) - 1;
}

void cluster_wait(uint32_t cores)
{
    for (uint32_t core = 0; core < cores; core++) {
        while (!done[core]) {
        }
    }
}

void cluster_continue(uint32_t cores)
{
    for (uint32_t core = 0; core < cores; core++) {
        done[core] = 0;
    }
    REGISTER(CLUSTER_SOFTWARE_EVENT(0)) = (1u << cores) - 1;
}

uint32_t dma_start(void *l1, void *l2, uint32_t bytes, uint32_t flags)
{
    uint32_t id = REGISTER(DMA_COMMAND);
    REGISTER(DMA_COMMAND) = bytes | DMA_INCREMENT | DMA_EVENT | flags;
    REGISTER(DMA_COMMAND) = (uint32_t)l1;
    REGISTER(DMA_COMMAND) = (uint32_t)l2;
    return id;
}

uint32_t dma_start_2d(void *l1, void *l2, uint32_t bytes, uint32_t line, uint32_t stride, uint32_t flags)
{
    uint32_t id = dma_start(l1, l2, bytes, flags | DMA_2D);
    REGISTER(DMA_COMMAND) = line;
    REGISTER(DMA_COMMAND) = stride;
    return id;
}

void dma_wait(uint32_t id)
{
    REGISTER(EVENT_MASK_OR) = EVENT_BIT_DMA;
    while (REGISTER(DMA_STATUS) >> id & 1) {
        event_load(EVENT_WAIT_CLEAR);
    }
    REGISTER(EVENT_MASK_AND) = EVENT_BIT_DMA;
    REGISTER(EVENT_BUFFER_CLEAR) = EVENT_BIT_DMA;
    REGISTER(DMA_STATUS) = 1u << id;
}

void hyper_start(uint32_t l2, uint32_t external, uint32_t bytes, int write)
{
    uint32_t channel = HYPER(0);
    REGISTER(UDMA) = 0xffffffffu;
    REGISTER(HYPER_COMMON + 0x00) = 4;
    REGISTER(HYPER_COMMON + 0x04) = 6;
    REGISTER(HYPER_COMMON + 0x08) = 1;
    REGISTER(channel + (write ? 0x0c : 0x00)) = l2;
    REGISTER(channel + (write ? 0x10 : 0x04)) = bytes;
    REGISTER(channel + 0x18) = write ? 1 : 5;
    REGISTER(channel + 0x1c) = external;
    REGISTER(channel + 0x28) = 0;
    REGISTER(channel + 0x34) = 0;
    REGISTER(channel + (write ? 0x14 : 0x08)) = 1u << 4 | 2u << 1;
}

void hyper_wait(void)
{
    while (REGISTER(HYPER(0) + 0x24) & 1) {
    }
}
