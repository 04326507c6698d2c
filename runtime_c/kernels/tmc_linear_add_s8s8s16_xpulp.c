#include "tmc_xpulp_linear.h"

static void put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value, const int8_t *table)
{
    int16_t *sum = (int16_t *)(y + r * y_pitch) + n;
    (void)table;
    /* 17 bits are enough to saturate, whatever the residual; more could overflow the sum. */
    *sum = (int16_t)tmc_clip_s16(*sum + tmc_clip(value, -65536, 65535));
}

/* 73 instructions for 5 rows. A dot product with (1, 0) or (0, 1) adds one half of a word. */
#define ADD(sum0, sum1, sum2, sum3) \
    "lw a2, 0(a0)\nlw a5, 4(a0)\n" \
    TMC_SDOT_S16S16(sum0, "a2", "a3") TMC_SDOT_S16S16(sum1, "a2", "a4") \
    TMC_SDOT_S16S16(sum2, "a5", "a3") TMC_SDOT_S16S16(sum3, "a5", "a4") \
    TMC_LINEAR_CLIP16(sum0) TMC_LINEAR_CLIP16(sum1) TMC_LINEAR_CLIP16(sum2) TMC_LINEAR_CLIP16(sum3) \
    TMC_LINEAR_STORE16(sum0, sum1, sum2, sum3)
#define FINISH(rows) "li a3, 1\nlui a4, 0x10\n" TMC_LINEAR_EACH_ROW(rows, ADD) "csrr a5, mepc\n"
TMC_LINEAR_RUN(run, FINISH, put)

void tmc_linear_add_s8s8s16_xpulp(const tmc_linear_args *args)
{
    /* FINISH adds without a limit first: what was shifted by one bit or more leaves room for that. */
    tmc_linear_compute(args, args->y_pitch, 2, args->shift != 0u, run, put);
}
