#include "tmc_xpulp_linear.h"

static void put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value, const int8_t *table)
{
    ((int8_t *)(y + n * y_pitch))[r] = table[tmc_clip_s8(value) + 128];
}

/* 66 instructions: looked up as in tmc_linear_table_s8s8s8, stored as in tmc_linear_transposed_s8s8s8. */
#define LOOK_UP(sum) TMC_LB_AT(sum, "a2", sum)
#define STORE(sum0, sum1, sum2, sum3, sum4) \
    "sb " sum0 ", 0(a0)\nsb " sum1 ", 1(a0)\nsb " sum2 ", 2(a0)\nsb " sum3 ", 3(a0)\nsb " sum4 ", 4(a0)\n" \
    "add a0, a0, a1\n"
#define FINISH \
    "lw a2, 52(a5)\n" TMC_LINEAR_EACH(TMC_LINEAR_CLIP8) "addi a2, a2, 128\n" TMC_LINEAR_EACH(LOOK_UP) \
    STORE("t0", "t4", "a7", "s5", "s9") STORE("t1", "t5", "s2", "s6", "s10") \
    STORE("t2", "t6", "s3", "s7", "s11") STORE("t3", "a6", "s4", "s8", "sp")
TMC_LINEAR_RUN(run, FINISH, put)

void tmc_linear_table_transposed_s8s8s8_xpulp(const tmc_linear_args *args)
{
    tmc_linear_by_channels(args, run, put);
}
