/* A network that traces known values: tiles of any order, size and alignment. FAULT spoils one byte. */
#include "tmc_platform.h"

enum { ROWS = 37, ROW_BYTES = 50, PITCH = 61, INPUT_BYTES = ROWS * PITCH + 3 };

#ifndef FAULT
#define FAULT 0
#endif

/** Trace the value in four tiles, the last one first. */
static void trace_entry(void *argument)
{
    const tmc_context *context = argument;
    const uint8_t *value = context->inputs[0];
    tmc_stage(5);
    if (tmc_core_id() == 0u) {
        for (uint32_t i = 0; i < INPUT_BYTES; ++i)
            context->l1[i] = value[i];
        if (FAULT)
            context->l1[20u * PITCH + 31u] ^= 0x80u;
    }
    tmc_trace(0, context->l1 + 17u * PITCH + 13u, ROWS - 17, ROW_BYTES - 13, PITCH, 17, 13);
    tmc_trace(0, context->l1 + 17u * PITCH, ROWS - 17, 13, PITCH, 17, 0);
    tmc_trace(0, context->l1 + 13u, 17, ROW_BYTES - 13, PITCH, 0, 13);
    tmc_trace(0, context->l1, 17, 13, PITCH, 0, 0);
    tmc_trace(1, context->l1 + 1, 1, 3, PITCH, 0, 0);
    if (tmc_core_id() == 0u)
        context->outputs[0][0] = 0xA5;
}

static const tmc_traced_value values[] = {{"first value", ROWS, ROW_BYTES}, {"second", 1, 3}, {"never", 2, 2}};

static const tmc_port inputs[] = {{"in", INPUT_BYTES}};
static const tmc_port outputs[] = {{"out", 1}};

extern const tmc_network trace_network;
const tmc_network trace_network = {
    .name = "trace",
    .inputs = inputs,
    .input_count = 1,
    .outputs = outputs,
    .output_count = 1,
    .l1_bytes = INPUT_BYTES,
    .l2_bytes = 16,
    .l3_bytes = 4,
    .l3_checksum = WEIGHTS_CHECKSUM,
    .entry = trace_entry,
    .values = values,
    .value_count = sizeof values / sizeof values[0],
};
