/* A PULP cluster without a runtime system: registers, and the few functions that the test programs share. */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdint.h>

#define L1 __attribute__((section(".l1")))
#define REGISTER(address) (*(volatile uint32_t *)(address))

#define SOC_EXIT 0x1a1040a0u
#define CONSOLE 0x1a10f000u
#define FABRIC_CACHE 0x1a108800u
#define CLUSTER_FETCH_ENABLE 0x10200008u
#define CLUSTER_BOOT_ADDRESS(core) (0x10200040u + 4 * (core))
#define CLUSTER_CACHE 0x10201400u
#define CLUSTER_SOFTWARE_EVENT(event) (0x10200e00u + 4 * (event))

#define EVENT_MASK 0x00204000u
#define EVENT_MASK_AND 0x00204004u
#define EVENT_MASK_OR 0x00204008u
#define EVENT_BUFFER 0x0020401cu
#define EVENT_BUFFER_CLEAR 0x00204028u
#define EVENT_WAIT 0x00204038u
#define EVENT_WAIT_CLEAR 0x0020403cu
#define BARRIER(index) (0x00204200u + 0x20 * (index))
#define BARRIER_TRIGGER_MASK 0x00
#define BARRIER_TARGET_MASK 0x0c
#define BARRIER_WAIT_CLEAR 0x1c
#define EVENT_BIT_CONTINUE (1u << 0)
#define EVENT_BIT_DMA (1u << 8)
#define EVENT_BIT_BARRIER (1u << 16)

#define DMA_COMMAND 0x00204400u
#define DMA_STATUS 0x00204404u
#define DMA_TO_L1 (1u << 17)
#define DMA_INCREMENT (1u << 18)
#define DMA_2D (1u << 19)
#define DMA_EVENT (1u << 20)

#define UDMA 0x1a102000u
#define HYPER(channel) (UDMA + 0x480 + 0x80 * (channel))
#define HYPER_COMMON (UDMA + 0x880)

static inline uint32_t hart_id(void)
{
    uint32_t value;
    __asm__ volatile("csrr %0, 0xf14" : "=r"(value));
    return value;
}

/* p.elw: sleep until the event unit answers. */
static inline uint32_t event_load(uint32_t address)
{
    uint32_t value;
    __asm__ volatile(".insn i 0x03, 6, %0, %1, 0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void barrier(void) { event_load(BARRIER(0) + BARRIER_WAIT_CLEAR); }

void put_char(char character);
void put_text(const char *text);
void put_hex(uint32_t value);
/* Print a name and a value as one line. */
void report(const char *name, uint32_t value);
void finish(uint32_t status) __attribute__((noreturn));

/* Start the first `cores` cluster cores; wait until each has called core_done; let all return from it. */
void cluster_start(uint32_t cores);
void cluster_wait(uint32_t cores);
void cluster_continue(uint32_t cores);
/* For core_main: set masks and barrier 0 for `cores` cores. */
void core_begin(uint32_t cores);
/* For core_main: say that this core is ready, and sleep until the fabric controller lets it continue. */
void core_done(void);

/* Begin a transfer and return its id. */
uint32_t dma_start(void *l1, void *l2, uint32_t bytes, uint32_t flags);
uint32_t dma_start_2d(void *l1, void *l2, uint32_t bytes, uint32_t line, uint32_t stride, uint32_t flags);
void dma_wait(uint32_t id);

/* Begin a transfer between L2 and HyperRAM on channel 0, and wait for it. */
void hyper_start(uint32_t l2, uint32_t external, uint32_t bytes, int write);
void hyper_wait(void);

#endif
