/* How the kernels of isa ne16 start a linear layer. */
#ifndef TMC_NE16_RUN_H
#define TMC_NE16_RUN_H

#include "tmc_ne16_job.h"
#include "tmc_ne16_kernels.h"

/** Start a layer, head by head; core 0. results: as in tmc_ne16_layer. */
static inline void tmc_ne16_start_linear(const tmc_ne16_linear_args *args, uint32_t results)
{
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
        .results = results,
    };
    const uint32_t channel_bytes = tmc_ne16_groups(args->depth, TMC_NE16_GROUP_INPUTS) * TMC_NE16_WEIGHT_BYTES;
    for (uint32_t channel = 0; channel < args->channels; channel += args->head_channels) {
        tmc_ne16_start(&layer);
        layer.weight += args->head_channels * channel_bytes;
        layer.multiplier += args->head_channels;
        layer.bias += args->head_channels;
        layer.y += args->rows * args->y_pitch;
    }
}

#endif
