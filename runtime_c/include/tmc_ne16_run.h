/* How the kernels of isa ne16 run a linear layer. */
#ifndef TMC_NE16_RUN_H
#define TMC_NE16_RUN_H

#include "tmc_cores.h"
#include "tmc_ne16_job.h"
#include "tmc_ne16_kernels.h"

/** Run a layer on the accelerator, from core 0; the others return at once. */
static inline void tmc_ne16_run(const tmc_ne16_linear_args *args)
{
    if (tmc_core_id() != 0u)
        return;
    tmc_ne16_layer layer = {
        .x = args->x,
        .weight = args->weight,
        .multiplier = args->multiplier,
        .bias = args->bias,
        .y = (uint8_t *)args->y,
        .x_pitch = args->x_pitch,
        .y_pitch = args->y_pitch,
        .rows = args->rows,
        .depth = args->depth,
        .channels = args->head_channels,
        .shift = args->shift,
        .results = TMC_NE16_OUTPUT_SIGNED,
    };
    const uint32_t channel_bytes = tmc_ne16_groups(args->depth, TMC_NE16_GROUP_INPUTS) * TMC_NE16_WEIGHT_BYTES;
    for (uint32_t channel = 0; channel < args->channels; channel += args->head_channels) {
        tmc_ne16_start(&layer);
        layer.weight += args->head_channels * channel_bytes;
        layer.multiplier += args->head_channels;
        layer.bias += args->head_channels;
        layer.y += args->rows * args->y_pitch;
    }
    tmc_ne16_wait();
}

#endif
