#include "hyper.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "transfer.h"
#include "trap.h"

/* The uDMA: a word that switches clocks on, then a window of 0x80 bytes per peripheral. */
#define CLOCK_ENABLE 0x00u
#define CLOCK_HYPER (1u << 8)
#define CHANNELS_OFFSET 0x480u
#define CHANNEL_STRIDE 0x80u
#define CHANNELS 8
#define COMMON_OFFSET (CHANNELS_OFFSET + CHANNELS * CHANNEL_STRIDE)

/* Registers of a channel, as word numbers. */
enum {
    RX_ADDRESS = 0,
    RX_BYTES = 1,
    RX_START = 2,
    TX_ADDRESS = 3,
    TX_BYTES = 4,
    TX_START = 5,
    COMMAND_ADDRESS = 6,
    EXTERNAL_ADDRESS = 7,
    STATUS = 9,
    TWO_DIMENSIONAL = 10,
    TWO_DIMENSIONAL_L2 = 13,
    CHANNEL_WORDS = 16,
};

/* Registers common to all channels, as word numbers. */
enum { MEMORY_SELECT = 8, COMMON_WORDS = 16 };

#define START_ENABLE (1u << 4)
#define START_CLEAR (1u << 5)
#define COMMAND_READ 4u
#define PENDING 8
#define RUBBISH 0xa5

typedef struct Channel {
    uint32_t words[CHANNEL_WORDS];
    Transfer pending[PENDING];
    unsigned pending_count;
    bool seen_busy;
    bool last_was_tx; /* Of the two address registers, which was written last. */
} Channel;

typedef struct Device {
    uint8_t *bytes;
    uint32_t size;
} Device;

static Channel channels[CHANNELS];
static uint32_t common[COMMON_WORDS];
static uint32_t clocks;
static Device ram, flash;

static void fill(Device *device, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        usage_error("%s: cannot be read", path);
    }
    size_t count = fread(device->bytes, 1, device->size, file);
    if (ferror(file) || (count == device->size && fgetc(file) != EOF)) {
        usage_error("%s: cannot be read, or is larger than the memory of %u bytes", path, device->size);
    }
    fclose(file);
}

void hyper_create(uint32_t ram_bytes, const char *ram_path, const char *flash_path)
{
    enum { FLASH_BYTES = 64 << 20 };
    ram = (Device){allocate(ram_bytes, 1), ram_bytes};
    memset(ram.bytes, RUBBISH, ram_bytes);
    if (ram_path != NULL) {
        fill(&ram, ram_path);
    }
    if (flash_path != NULL) {
        flash = (Device){allocate(FLASH_BYTES, 1), FLASH_BYTES};
        fill(&flash, flash_path);
    }
}

static void check_start(const Hart *hart, const Channel *channel, bool tx, uint32_t start)
{
    if (start & START_CLEAR) {
        trap(hart, "HyperBus: clearing a channel is not modelled");
    }
    if (channel->words[TWO_DIMENSIONAL] != 0 || channel->words[TWO_DIMENSIONAL_L2] != 0) {
        trap(hart, "HyperBus: two-dimensional transfers are not modelled");
    }
    if (!(channel->words[COMMAND_ADDRESS] & COMMAND_READ) != tx || channel->last_was_tx != tx) {
        trap(hart, "HyperBus: found a %s whose command word (0x%x) or last address register is of a %s",
             tx ? "write" : "read", channel->words[COMMAND_ADDRESS], tx ? "read" : "write");
    }
    if (tx && common[MEMORY_SELECT] != 0) {
        trap(hart, "HyperBus: write to flash");
    }
    if (channel->pending_count == PENDING) {
        trap(hart, "HyperBus: more than %d transfers on one channel", PENDING);
    }
}

/* Queue the transfer that the registers of a channel describe. */
static void start(Hart *hart, Channel *channel, bool tx, uint32_t start_word)
{
    if (!(start_word & START_ENABLE)) {
        return;
    }
    check_start(hart, channel, tx, start_word);
    const Device *device = common[MEMORY_SELECT] == 0 ? &ram : &flash;
    uint32_t bytes = channel->words[tx ? TX_BYTES : RX_BYTES];
    uint32_t external = channel->words[EXTERNAL_ADDRESS];
    uint32_t internal = channel->words[tx ? TX_ADDRESS : RX_ADDRESS];
    if (bytes == 0 || external >= device->size || bytes > device->size - external) {
        trap(hart, "HyperBus: found %u bytes at 0x%08x of a memory of %u bytes", bytes, external, device->size);
    }
    if (external % 2 != 0 || bytes % 2 != 0 || internal % 4 != 0) {
        trap(hart, "HyperBus: found %u bytes between 0x%08x of L2 and 0x%08x outside, allowed multiples of 2, 4 and 2",
             bytes, internal, external);
    }
    if (internal - L2_ADDRESS >= l2.bytes) {
        trap(hart, "HyperBus: found 0x%08x on the internal side, which is not in L2", internal);
    }
    Side outside = {device->bytes, external, bytes, 0}, inside = {NULL, internal, bytes, 0};
    Transfer transfer = {.from = tx ? inside : outside, .to = tx ? outside : inside, .bytes = bytes};
    transfer_start(hart, &transfer);
    channel->pending[channel->pending_count++] = transfer;
    channel->seen_busy = false;
}

/* Busy, and from bit 1 on the transfers that are not complete. Every second look finishes the oldest one. */
static uint32_t read_status(Hart *hart, Channel *channel)
{
    if (channel->pending_count > 0 && channel->seen_busy) {
        transfer_finish(hart, &channel->pending[0]);
        channel->pending_count--;
        memmove(channel->pending, channel->pending + 1, channel->pending_count * sizeof channel->pending[0]);
    }
    channel->seen_busy = !channel->seen_busy && channel->pending_count > 0;
    return channel->pending_count << 1 | (channel->pending_count > 0);
}

/* Return the channel of a register offset, or null for the common registers. */
static Channel *channel_at(const Hart *hart, uint32_t offset)
{
    if (!(clocks & CLOCK_HYPER)) {
        trap(hart, "HyperBus: access while its clock is off");
    }
    if (offset < CHANNELS_OFFSET || offset >= COMMON_OFFSET + 4 * COMMON_WORDS ||
        offset % CHANNEL_STRIDE >= 4 * CHANNEL_WORDS) {
        trap(hart, "uDMA: access to register 0x%x, which is not modelled", offset);
    }
    return offset >= COMMON_OFFSET ? NULL : &channels[(offset - CHANNELS_OFFSET) / CHANNEL_STRIDE];
}

uint32_t hyper_load(Hart *hart, uint32_t offset)
{
    if (offset == CLOCK_ENABLE) {
        return clocks;
    }
    Channel *channel = channel_at(hart, offset);
    uint32_t word = offset % CHANNEL_STRIDE / 4;
    if (channel == NULL) {
        return common[word];
    }
    return word == STATUS ? read_status(hart, channel) : channel->words[word];
}

void hyper_store(Hart *hart, uint32_t offset, uint32_t value)
{
    if (offset == CLOCK_ENABLE) {
        clocks = value;
        return;
    }
    Channel *channel = channel_at(hart, offset);
    uint32_t word = offset % CHANNEL_STRIDE / 4;
    if (channel == NULL) {
        common[word] = value;
        return;
    }
    if (word == STATUS) {
        trap(hart, "HyperBus: write of the status register");
    }
    channel->words[word] = value;
    if (word == RX_ADDRESS || word == TX_ADDRESS) {
        channel->last_was_tx = word == TX_ADDRESS;
    } else if (word == RX_START || word == TX_START) {
        start(hart, channel, word == TX_START, value);
    }
}
