/* Eight cores, barriers, DMA in one and two dimensions, software events, HyperRAM: what GVSoC does as well. */
#include "platform.h"

#define CORES 8
#define ROWS 24
#define COLUMNS 40

static uint8_t matrix[ROWS * 64] __attribute__((aligned(4)));
static uint8_t copied_back[ROWS * 64] __attribute__((aligned(4)));
static uint32_t external_in[64], external_out[64];
L1 static uint8_t tile[ROWS * COLUMNS] __attribute__((aligned(4)));
L1 static uint32_t sums[CORES], total, seen[CORES];

static uint32_t hash(const void *data, uint32_t bytes)
{
    const uint8_t *byte = data;
    uint32_t value = 0x811c9dc5;
    while (bytes--) {
        value = (value ^ *byte++) * 0x01000193;
    }
    return value;
}

/* Every core adds up its rows, core 0 adds up the sums, every core reads the total. */
static void reduce(uint32_t core)
{
    uint32_t sum = 0;
    for (uint32_t row = core; row < ROWS; row += CORES) {
        for (uint32_t column = 0; column < COLUMNS; column++) {
            sum += tile[row * COLUMNS + column] * (column + 1);
        }
    }
    sums[core] = sum;
    barrier();
    if (core == 0) {
        total = 0;
        for (uint32_t i = 0; i < CORES; i++) {
            total += sums[i];
        }
    }
    barrier();
    seen[core] = total + core;
}

static void use_dma(uint32_t core)
{
    if (core == 0) {
        uint32_t in = dma_start_2d(tile, matrix, ROWS * COLUMNS, COLUMNS, 64, DMA_TO_L1);
        dma_wait(in);
    }
    barrier();
    reduce(core);
    barrier();
    for (uint32_t i = core; i < sizeof tile; i += CORES) {
        tile[i] ^= 0x55;
    }
    barrier();
    if (core == 7) {
        uint32_t first = dma_start(tile, copied_back, COLUMNS * 10 + 3, 0);
        uint32_t second =
            dma_start_2d(tile + 480, copied_back + 12 * 64, COLUMNS * 12, COLUMNS, 64, 0);
        dma_wait(second);
        dma_wait(first);
    }
    barrier();
}

static void work(uint32_t core)
{
    barrier();
    use_dma(core);
    /* Core 3 sends software event 2 to core 5, which sleeps until then. */
    if (core == 5) {
        REGISTER(EVENT_MASK) = 1u << 2;
        event_load(EVENT_WAIT_CLEAR);
        REGISTER(EVENT_MASK) = EVENT_BIT_BARRIER;
        tile[5] = tile[3] + 1;
    }
    if (core == 3) {
        tile[3] = 77;
        REGISTER(0x00204108u) = 1u << 5;
    }
    barrier();
}

void core_main(uint32_t core)
{
    core_begin(CORES);
    for (;;) {
        work(core);
        core_done();
    }
}

int main(void)
{
    for (uint32_t i = 0; i < sizeof matrix; i++) {
        matrix[i] = (uint8_t)(i * 7 + (i >> 6) * 13);
    }
    cluster_start(CORES);
    for (uint32_t round = 0; round < 2; round++) {
        cluster_wait(CORES);
        report("tile", hash(tile, sizeof tile));
        report("total", total);
        report("seen", hash(seen, sizeof seen));
        report("copied back", hash(copied_back, COLUMNS * 10 + 3));
        report("copied back in lines", hash(copied_back + 12 * 64, 11 * 64 + COLUMNS));
        report("after the event", tile[5]);
        if (round == 0) {
            matrix[0]++;
            cluster_continue(CORES);
        }
    }
    for (uint32_t i = 0; i < 64; i++) {
        external_out[i] = i * 0x01234567;
    }
    hyper_start((uint32_t)external_out, 0x1000, sizeof external_out, 1);
    hyper_wait();
    hyper_start((uint32_t)external_in, 0x1040, sizeof external_in - 64, 0);
    hyper_wait();
    report("external", hash(external_in, sizeof external_in - 64));
    report("expected", hash(external_out + 16, sizeof external_out - 64));
    return 0;
}
