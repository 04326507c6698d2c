#include "tmc_xpulp_linear.h"

static void put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value, const int8_t *table)
{
    (void)table;
    ((int8_t *)(y + r * y_pitch))[n] = (int8_t)tmc_clip_s8(value);
}

/* 35 instructions for 5 rows. */
#define FINISH(rows) TMC_LINEAR_EACH(rows, TMC_LINEAR_CLIP8) TMC_LINEAR_EACH_ROW(rows, TMC_LINEAR_STORE8)
TMC_LINEAR_RUN(run, FINISH, put)

void tmc_linear_s8s8s8_xpulp(const tmc_linear_args *args)
{
    tmc_linear_compute_heads(args, run, put);
}
