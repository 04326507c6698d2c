/* Registers of a PULP cluster, its event unit, its DMA and the uDMA: the addresses of GVSoC's pulp-open.
 *
 * Words that end in _ADDRESS are bases; the rest are offsets from them, or bits.
 */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

/* Character output: a byte store per character, one word per core. */
#define CONSOLE_ADDRESS 0x1A10F000u
/* The simulation ends with the status written here. */
#define EXIT_ADDRESS 0x1A1040A0u
#define EXIT_VALID 0x80000000u

/* Instruction caches: all ones switch them on. */
#define FABRIC_CACHE_ADDRESS 0x1A108800u
#define CLUSTER_CACHE_ADDRESS 0x10201400u

#define CLUSTER_CONTROL_ADDRESS 0x10200000u
#define CLUSTER_FETCH_ENABLE 0x08u
#define CLUSTER_BOOT_ADDRESS 0x40u /* one word per core */

/* Event unit as a core sees its own part. */
#define EVENT_ADDRESS 0x00204000u
#define EVENT_MASK 0x00u
#define EVENT_WAIT_CLEAR 0x3Cu
#define EVENT_BARRIER_TRIGGER 0x200u
#define EVENT_BARRIER_TARGET 0x20Cu
#define EVENT_BARRIER_WAIT_CLEAR 0x21Cu
/* Software event 0 of the cluster; a store of a mask of cores triggers it. */
#define SOFTWARE_EVENT_ADDRESS 0x10200E00u
#define EVENT_BIT_SOFTWARE 0x1u
#define EVENT_BIT_BARRIER 0x10000u

/* MCHAN as a core sees its own queue. Reading the queue allocates a transfer id. */
#define DMA_QUEUE_ADDRESS 0x00204400u
#define DMA_STATUS_ADDRESS 0x00204404u /* read: bit i is 1 while id i is busy; write: frees ids */
#define DMA_TO_L1 (1u << 17)
#define DMA_INCREMENT (1u << 18)
#define DMA_LINES (1u << 19)

/* HyperBus behind the uDMA: eight channels and the registers that they share. */
#define UDMA_CLOCKS_ADDRESS 0x1A102000u
#define HYPER_ADDRESS 0x1A102480u
#define HYPER_CHANNEL_BYTES 0x80u
#define HYPER_CHANNELS 8u
#define HYPER_QUEUE 8u /* transfers that a channel takes at a time */
#define HYPER_READ_ADDRESS 0x00u
#define HYPER_READ_BYTES 0x04u
#define HYPER_READ_START 0x08u
#define HYPER_WRITE_ADDRESS 0x0Cu
#define HYPER_WRITE_BYTES 0x10u
#define HYPER_WRITE_START 0x14u
#define HYPER_COMMAND 0x18u
#define HYPER_EXTERNAL 0x1Cu
#define HYPER_STATUS 0x24u
#define HYPER_LINES_EXTERNAL 0x28u
#define HYPER_LINES_L2 0x34u
#define HYPER_COMMAND_READ 0x5u  /* linear burst, memory space, read */
#define HYPER_COMMAND_WRITE 0x1u /* linear burst, memory space */
#define HYPER_START ((1u << 4) | (2u << 1)) /* enable, words of 32 bits */
#define HYPER_BUSY 0x1u
#define HYPER_PENDING(status) ((status) >> 1 & 0xFFu) /* transfers that are not complete */
#define HYPER_SHARED_ADDRESS (HYPER_ADDRESS + HYPER_CHANNELS * HYPER_CHANNEL_BYTES)
#define HYPER_PAGE_BOUND 0x00u
#define HYPER_ACCESS_LATENCY 0x04u
#define HYPER_LATENCY_DOUBLED 0x08u
#define HYPER_MEMORY_SELECT 0x20u

static inline uint32_t register_load(uint32_t address)
{
    return *(volatile uint32_t *)(uintptr_t)address;
}

static inline void register_store(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)address = value;
}

/** Sleep until an event of the mask arrives (the instruction p.elw), and return the events. */
static inline uint32_t event_wait(uint32_t address)
{
    uint32_t events;
    __asm__ volatile(".insn i 0x03, 6, %0, %1, 0" : "=r"(events) : "r"(address) : "memory");
    return events;
}

/* Control and status registers are no part of rv32imc, and naming their extension there would link the
 * compiler's library for 64 bits. */
#define CSR_READ(name)                                                                        \
    ({                                                                                        \
        uint32_t csr_value;                                                                   \
        __asm__ volatile(".option push\n.option arch, +zicsr\ncsrr %0, " name "\n.option pop" \
                         : "=r"(csr_value)                                                    \
                         :                                                                    \
                         : "memory");                                                         \
        csr_value;                                                                            \
    })

/** Return the number of the hart: of the cluster's cores the core, 0x3E0 of the fabric controller. */
static inline uint32_t hart_id(void)
{
    return CSR_READ("mhartid");
}

/** Return the calling core's cycle counter. */
static inline uint32_t cycle_count(void)
{
    return CSR_READ("mcycle");
}

#endif
