#include "tmc_xpulp_linear.h"

static void put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value, const int8_t *table)
{
    (void)table;
    ((int8_t *)(y + n * y_pitch))[r] = (int8_t)tmc_clip_s8(value);
}

/* 43 instructions for 5 rows. */
#define FINISH(rows) TMC_LINEAR_EACH(rows, TMC_LINEAR_CLIP8) TMC_LINEAR_STORE_COLUMNS(rows)
TMC_LINEAR_RUN(run, FINISH, put)

void tmc_linear_transposed_s8s8s8_xpulp(const tmc_linear_args *args)
{
    tmc_linear_compute(args, 1, args->y_pitch, true, run, put);
}
