/* The HyperBus: chip 0 is the RAM, chip 1 the flash. */
#include "bare_metal.h"
#include "registers.h"
#include "tmc_checksum.h"

#define CHUNK_BYTES 8192u

static IN_PRIVATE __attribute__((aligned(16))) uint8_t chunk[CHUNK_BYTES];

void hyper_start(void)
{
    register_store(UDMA_CLOCKS_ADDRESS, 0xFFFFFFFFu);
    register_store(HYPER_SHARED_ADDRESS + HYPER_PAGE_BOUND, 4u); /* no page bound */
    /* Twice 6 clocks before the first byte, the fixed latency of a 166 MHz HyperRAM (S27KS0641). */
    register_store(HYPER_SHARED_ADDRESS + HYPER_ACCESS_LATENCY, 6u);
    register_store(HYPER_SHARED_ADDRESS + HYPER_LATENCY_DOUBLED, 1u);
    register_store(HYPER_SHARED_ADDRESS + HYPER_MEMORY_SELECT, 0u);
    for (uint32_t i = 0; i < HYPER_CHANNELS; ++i) {
        register_store(HYPER_ADDRESS + i * HYPER_CHANNEL_BYTES + HYPER_LINES_EXTERNAL, 0u);
        register_store(HYPER_ADDRESS + i * HYPER_CHANNEL_BYTES + HYPER_LINES_L2, 0u);
    }
}

static void await(void)
{
    while ((register_load(HYPER_ADDRESS + HYPER_STATUS) & HYPER_BUSY) != 0u)
        ;
    __asm__ volatile("" ::: "memory");
}

uint32_t hyper_copy_flash(uint32_t bytes)
{
    uint32_t checksum = 0;
    for (uint32_t done = 0; done < bytes;) {
        const uint32_t count = bytes - done < CHUNK_BYTES ? bytes - done : CHUNK_BYTES;
        register_store(HYPER_SHARED_ADDRESS + HYPER_MEMORY_SELECT, 1u);
        register_store(HYPER_ADDRESS + HYPER_READ_ADDRESS, (uint32_t)(uintptr_t)chunk);
        register_store(HYPER_ADDRESS + HYPER_READ_BYTES, count);
        register_store(HYPER_ADDRESS + HYPER_COMMAND, HYPER_COMMAND_READ);
        register_store(HYPER_ADDRESS + HYPER_EXTERNAL, done);
        register_store(HYPER_ADDRESS + HYPER_READ_START, HYPER_START);
        await();
        register_store(HYPER_SHARED_ADDRESS + HYPER_MEMORY_SELECT, 0u);
        register_store(HYPER_ADDRESS + HYPER_WRITE_ADDRESS, (uint32_t)(uintptr_t)chunk);
        register_store(HYPER_ADDRESS + HYPER_WRITE_BYTES, count);
        register_store(HYPER_ADDRESS + HYPER_COMMAND, HYPER_COMMAND_WRITE);
        register_store(HYPER_ADDRESS + HYPER_EXTERNAL, done);
        register_store(HYPER_ADDRESS + HYPER_WRITE_START, HYPER_START);
        /* While the bytes go out, the chunk may be read. */
        checksum = tmc_checksum(checksum, chunk, count);
        await();
        done += count;
    }
    return checksum;
}
