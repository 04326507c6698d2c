/* A small network for tests of a platform: a linear layer on double-buffered tiles and a copy of its result.
 *
 * Input: x [ROWS][DEPTH], X_PITCH bytes apart, then a byte that asks for a fault. Output: y [ROWS][CHANNELS].
 * The weights come from L3; y passes through L2, where its rows are Y_PITCH bytes apart.
 * One half of the weights is loaded by init and stays in L2, the other is loaded in every run.
 */
#include "tmc_kernels.h"
#include "tmc_platform.h"

enum { ROWS = 64, TILE = 16, TILES = ROWS / TILE, DEPTH = 16, CHANNELS = 8, SHIFT = 6 };
enum { X_PITCH = DEPTH + 4, Y_PITCH = CHANNELS + 4, WEIGHT_PITCH = DEPTH + 8 };
enum { WEIGHTS_BYTES = CHANNELS * WEIGHT_PITCH, X_BYTES = TILE * DEPTH, Y_BYTES = TILE * CHANNELS };
enum { L1_BYTES = WEIGHTS_BYTES + 2 * X_BYTES + 2 * Y_BYTES, L2_BYTES = WEIGHTS_BYTES + ROWS * Y_PITCH };
enum { KEPT_BYTES = WEIGHTS_BYTES / 2 };
enum { INPUT_BYTES = ROWS * X_PITCH + 4 };

/* The order is that of FAULTS in test_host_platform.py. */
typedef enum {
    NO_FAULT,
    LATE_WAIT,
    NO_BARRIER_BEFORE,
    NO_BARRIER_AFTER,
    START_TWICE,
    WAIT_IDLE,
    WAIT_OTHER_KIND,
    NO_LAST_WAIT,
    IN_OUTSIDE_L1,
    IN_OUTSIDE_L2,
    OUT_OUTSIDE_L1,
    OUT_TO_INPUT,
    TOO_LONG,
    NOTHING,
    CLOSE_LINES,
    SOURCE_CHANGED,
    OTHER_CORE,
    FETCH_OUTSIDE_L3,
    FETCH_OUTSIDE_L2,
    FETCH_ODD,
    L1_OVERRUN,
    TRACE_OUTSIDE,
    TRACE_UNKNOWN,
    KEPT_CHANGED
} fault_kind;

static tmc_transfer slot_l3, slot_weights, slot_x[2], slot_y[2];

/** Break one rule of the platform on an otherwise correct run; core 0. */
static void misuse(const tmc_context *context, uint32_t fault)
{
    static tmc_transfer slot;
    uint8_t *l1 = context->l1, *l2 = context->l2;
    switch (fault) {
    case START_TWICE:
        tmc_dma_in(&slot, l1, l2, 1, 4, 0);
        tmc_dma_in(&slot, l1 + 4, l2, 1, 4, 0);
        break;
    case WAIT_IDLE:
        tmc_dma_wait(&slot);
        break;
    case WAIT_OTHER_KIND:
        tmc_dma_in(&slot, l1, l2, 1, 4, 0);
        tmc_l3_wait(&slot);
        break;
    case IN_OUTSIDE_L1:
        tmc_dma_in(&slot, l1 + L1_BYTES - 4, l2, 2, 4, 4);
        break;
    case IN_OUTSIDE_L2:
        tmc_dma_in(&slot, l1, l2 + L2_BYTES - 20, 2, 4, 20);
        break;
    case OUT_OUTSIDE_L1:
        tmc_dma_out(&slot, l2, l1 - 4, 1, 8, 0);
        break;
    case OUT_TO_INPUT:
        tmc_dma_out(&slot, (uint8_t *)(uintptr_t)context->inputs[0], l1, 1, 4, 0);
        break;
    case TOO_LONG:
        tmc_dma_in(&slot, l1, l2, 8192, 16, 16);
        break;
    case NOTHING:
        tmc_dma_in(&slot, l1, l2, 4, 0, 16);
        break;
    case CLOSE_LINES:
        tmc_dma_in(&slot, l1, l2, 2, 8, 4);
        break;
    case FETCH_OUTSIDE_L3:
        tmc_l3_fetch(&slot, l2, 4, WEIGHTS_BYTES);
        break;
    case FETCH_OUTSIDE_L2:
        tmc_l3_fetch(&slot, l2 + L2_BYTES - 4, 0, 8);
        break;
    case FETCH_ODD:
        tmc_l3_fetch(&slot, l2, 0, 6);
        break;
    case L1_OVERRUN:
        l1[L1_BYTES] = 0;
        break;
    default:
        break;
    }
}

static void linear(const tmc_context *context, uint32_t fault)
{
    uint8_t *weights = context->l1;
    uint8_t *x = weights + WEIGHTS_BYTES;
    uint8_t *y = x + 2 * X_BYTES;
    uint8_t *l2_y = context->l2 + WEIGHTS_BYTES;
    if (tmc_core_id() == 0u) {
        tmc_l3_fetch(&slot_l3, context->l2 + KEPT_BYTES, KEPT_BYTES, WEIGHTS_BYTES - KEPT_BYTES);
        tmc_dma_in(&slot_x[0], x, context->inputs[0], TILE, DEPTH, X_PITCH);
        tmc_l3_wait(&slot_l3);
        tmc_dma_in(&slot_weights, weights, context->l2, 1, WEIGHTS_BYTES, 0);
        tmc_dma_wait(&slot_weights);
    }
    for (uint32_t tile = 0; tile < TILES; ++tile) {
        const uint32_t b = tile % 2u;
        if (tmc_core_id() == 0u) {
            if (fault != LATE_WAIT)
                tmc_dma_wait(&slot_x[b]);
            if (tile + 1u < TILES)
                tmc_dma_in(&slot_x[1u - b], x + (1u - b) * X_BYTES,
                           context->inputs[0] + (tile + 1u) * TILE * X_PITCH, TILE, DEPTH, X_PITCH);
            if (tile >= 2u)
                tmc_dma_wait(&slot_y[b]);
        }
        if (fault != NO_BARRIER_BEFORE)
            tmc_barrier();
        const tmc_linear_args args = {
            .x = x + b * X_BYTES,
            .x_pitch = DEPTH,
            .weight = (const int8_t *)weights,
            .weight_pitch = WEIGHT_PITCH,
            .y = y + b * Y_BYTES,
            .y_pitch = CHANNELS,
            .rows = TILE,
            .depth = DEPTH,
            .channels = CHANNELS,
            .head_channels = CHANNELS,
            .shift = SHIFT,
        };
        tmc_linear_s8s8s8_scalar(&args);
        if (fault != NO_BARRIER_AFTER)
            tmc_barrier();
        tmc_trace(fault == TRACE_UNKNOWN ? 2 : 0, y + b * Y_BYTES, TILE, CHANNELS, CHANNELS,
                  fault == TRACE_OUTSIDE ? ROWS : tile * TILE, 0);
        if (tmc_core_id() == 0u) {
            if (fault == LATE_WAIT)
                tmc_dma_wait(&slot_x[b]);
            if (fault == KEPT_CHANGED && tile == 0u)
                context->l2[KEPT_BYTES - 8] ^= 1u;
            tmc_dma_out(&slot_y[b], l2_y + tile * TILE * Y_PITCH, y + b * Y_BYTES, TILE, CHANNELS, Y_PITCH);
            /* Volatile: the thread sanitizer does not see what the compiler makes of a plain fill. */
            for (uint32_t i = 0; fault == SOURCE_CHANGED && i < Y_BYTES; ++i)
                *(volatile uint8_t *)(y + b * Y_BYTES + i) = 1;
        }
    }
    if (tmc_core_id() == 0u) {
        tmc_dma_wait(&slot_y[0]);
        if (fault != NO_LAST_WAIT && fault != OTHER_CORE)
            tmc_dma_wait(&slot_y[1]);
    }
    tmc_barrier();
    if (fault == OTHER_CORE && tmc_core_id() == 3u)
        tmc_dma_wait(&slot_y[1]);
    tmc_barrier();
}

/** Copy y from L2 to the output, the left and the right half of its columns on their own. */
static void copy(const tmc_context *context)
{
    uint8_t *tile = context->l1;
    const uint8_t *l2_y = context->l2 + WEIGHTS_BYTES;
    for (uint32_t column = 0; column < CHANNELS; column += CHANNELS / 2) {
        if (tmc_core_id() == 0u) {
            tmc_dma_in(&slot_y[0], tile, l2_y + column, ROWS, CHANNELS / 2, Y_PITCH);
            tmc_dma_wait(&slot_y[0]);
        }
        tmc_barrier();
        tmc_trace(1, tile, ROWS, CHANNELS / 2, CHANNELS / 2, 0, column);
        if (tmc_core_id() == 0u) {
            tmc_dma_out(&slot_y[0], context->outputs[0] + column, tile, ROWS, CHANNELS / 2, CHANNELS);
            tmc_dma_wait(&slot_y[0]);
        }
    }
}

static void init(void *argument)
{
    const tmc_context *context = argument;
    if (tmc_core_id() == 0u) {
        tmc_l3_fetch(&slot_l3, context->l2, 0, KEPT_BYTES);
        tmc_l3_wait(&slot_l3);
    }
}

static void entry(void *argument)
{
    const tmc_context *context = argument;
    const uint32_t fault = context->inputs[0][ROWS * X_PITCH];
    if (tmc_core_id() == 0u)
        misuse(context, fault);
    linear(context, fault);
    copy(context);
}

static const tmc_traced_value values[] = {{"linear", ROWS, CHANNELS}, {"copy", ROWS, CHANNELS}};

static const tmc_port inputs[] = {{"in", INPUT_BYTES}};
static const tmc_port outputs[] = {{"out", ROWS * CHANNELS}};

extern const tmc_network small_network;
const tmc_network small_network = {
    .name = "small",
    .inputs = inputs,
    .input_count = 1,
    .outputs = outputs,
    .output_count = 1,
    .l1_bytes = L1_BYTES,
    .l2_bytes = L2_BYTES,
    .l3_bytes = WEIGHTS_BYTES,
    .l3_checksum = L3_CHECKSUM,
    .entry = entry,
    .init = init,
    .values = values,
    .value_count = sizeof values / sizeof values[0],
};
