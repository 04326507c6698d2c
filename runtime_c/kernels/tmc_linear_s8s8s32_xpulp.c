#include "tmc_xpulp_linear.h"

static void put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value, const int8_t *table)
{
    (void)table;
    ((int32_t *)(y + r * y_pitch))[n] = value;
}

/* 20 instructions for 5 rows. */
#define FINISH(rows) TMC_LINEAR_EACH_ROW(rows, TMC_LINEAR_STORE32)
TMC_LINEAR_RUN(run, FINISH, put)

void tmc_linear_s8s8s32_xpulp(const tmc_linear_args *args)
{
    tmc_linear_compute(args, args->y_pitch, 4, true, run, put);
}
