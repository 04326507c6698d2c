/* What the clip kernels share: where the operands of a row lie. */
#ifndef TMC_CLIP_H
#define TMC_CLIP_H

#include "tmc_kernels.h"

/** The operands of one row. */
typedef struct {
    const uint8_t *x;
    const uint8_t *low;
    const uint8_t *high;
    uint8_t *y;
} tmc_clip_row;

/** Return min(max(a, low), high). */
static inline int32_t tmc_between(int32_t a, int32_t low, int32_t high)
{
    const int32_t above = a < low ? low : a;
    return above < high ? above : high;
}

static inline tmc_clip_row tmc_clip_row_of(const tmc_clip_args *args, uint32_t r)
{
    const uint32_t line = (args->row0 + r) / args->group_rows * args->limit_pitch;
    const tmc_clip_row row = {
        (const uint8_t *)args->x + r * args->x_pitch,
        (const uint8_t *)args->low + line,
        (const uint8_t *)args->high + line,
        (uint8_t *)args->y + r * args->y_pitch,
    };
    return row;
}

#endif
