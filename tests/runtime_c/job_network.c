/* A small network for tests of jobs: a linear layer of codes + 128 on double-buffered tiles, one job each.
 *
 * Input: x [ROWS][DEPTH], then a byte that asks for a fault. Output: y [ROWS][CHANNELS] as int32. The operands beside x
 * come from L3: weight, multiplier, bias.
 */
#include "tmc_jobs.h"
#include "tmc_kernels.h"
#include "tmc_platform.h"

enum { ROWS = 60, TILE = 10, TILES = ROWS / TILE, DEPTH = 20, CHANNELS = 12, HEAD = 4, SHIFT = 6 };
enum { WEIGHT_BYTES = CHANNELS * 32, MULTIPLIER_BYTES = CHANNELS, BIAS_BYTES = 4 * CHANNELS };
enum { CONSTANT_BYTES = WEIGHT_BYTES + MULTIPLIER_BYTES + BIAS_BYTES };
/* Rows of y in L1 have a gap. */
enum { X_BYTES = TILE * DEPTH, Y_PITCH = 4 * HEAD + 4, Y_BYTES = CHANNELS / HEAD * TILE * Y_PITCH };
enum { L1_BYTES = CONSTANT_BYTES + 2 * X_BYTES + 2 * Y_BYTES, L2_BYTES = CONSTANT_BYTES };

/* The order is that of FAULTS in test_host_jobs.py. */
typedef enum {
    NO_FAULT,
    OUT_OF_ORDER,
    START_TWICE,
    START_THIRD,
    WAIT_IDLE,
    NO_LAST_WAIT,
    OTHER_CORE,
    READS_OUTSIDE,
    WRITES_OUTSIDE,
    OPERAND_CHANGED,
    OPERAND_UNFINISHED,
    RESULT_WRITTEN,
    RESULT_READ,
    NO_BARRIER_BEFORE,
    NO_BARRIER_AFTER
} fault_kind;

static tmc_transfer slot_l3, slot_constants, slot_y;
static tmc_job slot_job[2];

static tmc_ne16_linear_args tile_args(const tmc_context *context, uint32_t b)
{
    uint8_t *constants = context->l1, *x = constants + CONSTANT_BYTES, *y = x + 2 * X_BYTES;
    return (tmc_ne16_linear_args){
        .x = x + b * X_BYTES,
        .weight = constants,
        .multiplier = constants + WEIGHT_BYTES,
        .bias = (const int32_t *)(void *)(constants + WEIGHT_BYTES + MULTIPLIER_BYTES),
        .y = y + b * Y_BYTES,
        .x_pitch = DEPTH,
        .y_pitch = Y_PITCH,
        .rows = TILE,
        .depth = DEPTH,
        .channels = CHANNELS,
        .shift = SHIFT,
        .head_channels = HEAD,
    };
}

static void start_tile(const tmc_context *context, uint32_t tile, uint32_t fault)
{
    tmc_ne16_linear_args args = tile_args(context, tile % 2u);
    if (tile == 1u && fault == READS_OUTSIDE)
        args.x = context->l1 + L1_BYTES - X_BYTES + 4;
    if (tile == 1u && fault == WRITES_OUTSIDE)
        args.y = context->l1 + L1_BYTES - Y_BYTES + 8;
    if (tile == 1u && fault == OPERAND_UNFINISHED)
        args.x = tile_args(context, 0).y;
    tmc_job_start(&slot_job[tile % 2u], tmc_linear_u8s8s32_scalar, &args);
}

/** The thread sanitizer remembers four accesses to 8 bytes: words are few enough, and several of them more certain. */
static volatile uint32_t *words_of(const void *bytes)
{
    return (volatile uint32_t *)(uintptr_t)bytes;
}

/** Break one rule when the first two jobs are in flight; core 0. */
static void misuse(const tmc_context *context, uint32_t fault)
{
    static tmc_job slot;
    const tmc_ne16_linear_args args = tile_args(context, 0);
    switch (fault) {
    case OUT_OF_ORDER:
        tmc_job_wait(&slot_job[1]);
        break;
    case START_TWICE:
        tmc_job_start(&slot_job[1], tmc_linear_u8s8s32_scalar, &args);
        break;
    case START_THIRD:
        tmc_job_start(&slot, tmc_linear_u8s8s32_scalar, &args);
        break;
    case WAIT_IDLE:
        tmc_job_wait(&slot);
        break;
    case OPERAND_CHANGED:
        for (uint32_t i = 0; i < X_BYTES / 4; ++i)
            words_of(args.x)[i] ^= 1u;
        break;
    case RESULT_WRITTEN:
        words_of(args.y)[0] = 0;
        break;
    case RESULT_READ:
        for (uint32_t i = 0; i < HEAD; ++i)
            words_of(context->outputs[0])[i] = words_of(args.y)[i];
        break;
    default:
        break;
    }
}

/** Copy the results of a tile to the output, row by row. */
static void put_out(const tmc_context *context, uint32_t tile)
{
    const uint8_t *y = tile_args(context, tile % 2u).y;
    for (uint32_t head = 0; head < CHANNELS / HEAD; ++head) {
        uint8_t *out = context->outputs[0] + 4u * (tile * TILE * CHANNELS + head * HEAD);
        for (uint32_t row = 0; row < TILE; ++row) {
            tmc_dma_out(&slot_y, out + 4u * row * CHANNELS, y + (head * TILE + row) * Y_PITCH, 1, 4u * HEAD, 0);
            tmc_dma_wait(&slot_y);
        }
    }
}

static void load_constants(const tmc_context *context)
{
    tmc_l3_fetch(&slot_l3, context->l2, 0, CONSTANT_BYTES);
    tmc_l3_wait(&slot_l3);
    tmc_dma_in(&slot_constants, context->l1, context->l2, 1, CONSTANT_BYTES, 0);
    tmc_dma_wait(&slot_constants);
}

/** The second core writes x of every tile itself, so that a barrier is needed between it and the job. */
static void load_x(const tmc_context *context, uint32_t tile)
{
    const tmc_ne16_linear_args args = tile_args(context, tile % 2u);
    volatile uint32_t *from = words_of(context->inputs[0] + tile * X_BYTES);
    if (tmc_core_id() == 1u)
        for (uint32_t i = 0; i < X_BYTES / 4; ++i)
            words_of(args.x)[i] = from[i];
}

/** Add 1 to every result of a tile and take it off again, on the third core. */
static void touch(const tmc_context *context, uint32_t tile)
{
    uint8_t *y = tile_args(context, tile % 2u).y;
    if (tmc_core_id() == 2u)
        for (uint32_t pass = 0; pass < 2u; ++pass)
            for (uint32_t row = 0; row < CHANNELS / HEAD * TILE; ++row)
                for (uint32_t i = 0; i < 4u * HEAD; ++i)
                    y[row * Y_PITCH + i] = (uint8_t)(y[row * Y_PITCH + i] + (pass == 0u ? 1u : 255u));
}

/** Job t is started as x of tile t is there; its results are touched behind its wait, while job t + 1 runs. */
static void entry(void *argument)
{
    const tmc_context *context = argument;
    const uint32_t fault = context->inputs[0][ROWS * DEPTH];
    const int is_core_0 = tmc_core_id() == 0u;
    if (is_core_0)
        load_constants(context);
    load_x(context, 0);
    tmc_barrier();
    if (is_core_0)
        start_tile(context, 0, fault);
    for (uint32_t tile = 0; tile < TILES; ++tile) {
        if (tile + 1u < TILES) {
            load_x(context, tile + 1u);
            if (fault != NO_BARRIER_BEFORE)
                tmc_barrier();
            if (is_core_0)
                start_tile(context, tile + 1u, fault);
        }
        if (is_core_0 && tile == 0u)
            misuse(context, fault);
        if (is_core_0 && !(fault == NO_LAST_WAIT && tile + 1u == TILES))
            tmc_job_wait(&slot_job[tile % 2u]);
        if (fault != NO_BARRIER_AFTER)
            tmc_barrier();
        touch(context, tile);
        tmc_barrier();
        if (is_core_0)
            put_out(context, tile);
        tmc_barrier();
        if (fault == OTHER_CORE && tmc_core_id() == 3u)
            tmc_job_wait(&slot_job[0]);
        tmc_barrier();
    }
}

static const tmc_port inputs[] = {{"in", ROWS * DEPTH + 4}};
static const tmc_port outputs[] = {{"out", 4 * ROWS * CHANNELS}};

extern const tmc_network small_network;
const tmc_network small_network = {
    .name = "jobs",
    .inputs = inputs,
    .input_count = 1,
    .outputs = outputs,
    .output_count = 1,
    .l1_bytes = L1_BYTES,
    .l2_bytes = L2_BYTES,
    .l3_bytes = CONSTANT_BYTES,
    .l3_checksum = L3_CHECKSUM,
    .entry = entry,
};
