/* The asm statement that computes a tmc_linear_blocks; see tmc_xpulp_linear.h.
 *
 * Per step of 4 k: 9 loads and 20 pv.sdotsp.b, 29 instructions without a stall for 80 MACs. Per block besides: 20 to
 * clear the sums, 54 to requantise, 13 to move on, and those of `finish`. A block is 500 to 700 bytes of code: it
 * nearly fits a core's instruction cache of 512 bytes. Cache lines have 16 bytes.
 *
 * Registers, all 31 of them:
 *   a0 to a3  w0 to w3, later temporaries     s0 p     tp W     gp D
 *   a4, a5    x, in turns, later temporaries  s1 X     ra E
 *   sums of 4 channels: t0 t1 t2 t3 of row 0, t4 t5 t6 a6 of row 1, a7 s2 s3 s4 of row 2, s5 s6 s7 s8 of row 3,
 *   s9 s10 s11 sp of row 4
 * Meanwhile mepc keeps the address of the chain, and interrupts are off.
 */
#ifndef TMC_XPULP_LINEAR_TEXT_H
#define TMC_XPULP_LINEAR_TEXT_H

#include "tmc_xpulp_text.h"

#define TMC_LINEAR_EACH(of) \
    of("t0") of("t1") of("t2") of("t3") of("t4") of("t5") of("t6") of("a6") of("a7") of("s2") \
    of("s3") of("s4") of("s5") of("s6") of("s7") of("s8") of("s9") of("s10") of("s11") of("sp")
#define TMC_LINEAR_EACH_ROW(of) \
    of("t0", "t1", "t2", "t3") of("t4", "t5", "t6", "a6") of("a7", "s2", "s3", "s4") \
    of("s5", "s6", "s7", "s8") of("s9", "s10", "s11", "sp")

#define TMC_LINEAR_CLEAR(sum) "li " sum ", 0\n"

/* One row of a step; `dot` is TMC_SDOT_S8S8 or TMC_SDOT_S16S16, `last` a label for the last instruction, or nothing. */
#define TMC_LINEAR_DOT(dot, x, sum0, sum1, sum2, sum3, last) \
    dot(sum0, x, "a0") dot(sum1, x, "a1") dot(sum2, x, "a2") last dot(sum3, x, "a3")

#define TMC_LINEAR_STEP(dot) \
    TMC_LW_STEP("a0", "s0", "tp") TMC_LW_STEP("a1", "s0", "tp") TMC_LW_STEP("a2", "s0", "tp") \
    TMC_LW_STEP("a3", "s0", "gp") TMC_LW_STEP("a4", "s0", "s1") TMC_LW_STEP("a5", "s0", "s1") \
    TMC_LINEAR_DOT(dot, "a4", "t0", "t1", "t2", "t3", "") TMC_LW_STEP("a4", "s0", "s1") \
    TMC_LINEAR_DOT(dot, "a5", "t4", "t5", "t6", "a6", "") TMC_LW_STEP("a5", "s0", "s1") \
    TMC_LINEAR_DOT(dot, "a4", "a7", "s2", "s3", "s4", "") TMC_LW_STEP("a4", "s0", "ra") \
    TMC_LINEAR_DOT(dot, "a5", "s5", "s6", "s7", "s8", "") \
    TMC_LINEAR_DOT(dot, "a4", "s9", "s10", "s11", "sp", "7: ")

/* (sum * multiplier + bias) >> shift, as sum + sum * (multiplier - 1): no instruction multiplies and adds to
 * a third register. */
#define TMC_LINEAR_CONSTANTS(multiplier, bias) "lw " bias ", 4(s0)\n" TMC_LW_STEP(multiplier, "s0", "tp")
#define TMC_LINEAR_CHANNEL(multiplier, bias, sum0, sum1, sum2, sum3, sum4) \
    "addi " multiplier ", " multiplier ", -1\n" \
    TMC_MAC(sum0, sum0, multiplier) TMC_MAC(sum1, sum1, multiplier) TMC_MAC(sum2, sum2, multiplier) \
    TMC_MAC(sum3, sum3, multiplier) TMC_MAC(sum4, sum4, multiplier) \
    TMC_ADD_SHIFT(sum0, bias, "a4") TMC_ADD_SHIFT(sum1, bias, "a4") TMC_ADD_SHIFT(sum2, bias, "a4") \
    TMC_ADD_SHIFT(sum3, bias, "a4") TMC_ADD_SHIFT(sum4, bias, "a4")

/* Leaves shifted sums and a5 = chain; a0 to a4 are free then. */
#define TMC_LINEAR_REQUANTISE \
    "csrr a5, mepc\n" \
    TMC_LINEAR_CONSTANTS("a0", "a1") TMC_LINEAR_CONSTANTS("a2", "a3") \
    "lw a4, 48(a5)\n" \
    TMC_LINEAR_CHANNEL("a0", "a1", "t0", "t4", "a7", "s5", "s9") TMC_LINEAR_CONSTANTS("a0", "a1") \
    TMC_LINEAR_CHANNEL("a2", "a3", "t1", "t5", "s2", "s6", "s10") TMC_LINEAR_CONSTANTS("a2", "a3") \
    TMC_LINEAR_CHANNEL("a0", "a1", "t2", "t6", "s3", "s7", "s11") \
    TMC_LINEAR_CHANNEL("a2", "a3", "t3", "a6", "s4", "s8", "sp")

/* Defines the function `run`. It must not be inlined: nothing else may count on sp. `finish` gets the shifted sums,
 * a5 = chain, a0 = y and a1 = y_pitch, and may use a0 to a4. */
#define TMC_LINEAR_RUN_OF(run, dot, sdot, finish, put) \
    static __attribute__((noinline)) void run(tmc_linear_blocks *chain) \
    { \
        register tmc_linear_blocks *first __asm__("a0") = chain; \
        __asm__ volatile( \
            ".balign 16\n.option push\n.option norelax\n" TMC_TEXT_CSR \
            "csrrci a1, mstatus, 8\n" \
            "sw sp, 56(a0)\nsw gp, 60(a0)\nsw tp, 64(a0)\nsw ra, 68(a0)\nsw a1, 72(a0)\n" \
            "csrw mepc, a0\n" \
            "lw s0, 0(a0)\nlw s1, 4(a0)\nlw tp, 8(a0)\nlw gp, 12(a0)\nlw ra, 16(a0)\n" \
            "lw a1, 24(a0)\nlw a0, 20(a0)\n" \
            TMC_LOOP_TO(1, "a1", 11, 8) \
            TMC_LINEAR_EACH(TMC_LINEAR_CLEAR) \
            TMC_LOOP(0, "a0", 29, 7) \
            TMC_LINEAR_STEP(dot) \
            TMC_LINEAR_REQUANTISE \
            "lw a0, 36(a5)\nlw a1, 40(a5)\n" \
            finish \
            "lw a0, 36(a5)\nlw a1, 44(a5)\nlw a2, 32(a5)\nlw a3, 28(a5)\n" \
            "add a0, a0, a1\nadd gp, gp, a2\nsub ra, ra, a2\nadd s0, s0, a3\n" \
            "sw a0, 36(a5)\n" \
            "8: lw a0, 20(a5)\n" \
            "lw sp, 56(a5)\nlw gp, 60(a5)\nlw tp, 64(a5)\nlw ra, 68(a5)\nlw a1, 72(a5)\n" \
            "csrw mstatus, a1\n" \
            ".option pop\n" \
            : "+r"(first) \
            : \
            : "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", \
              "s9", "s10", "s11", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "memory"); \
    }

#define TMC_LINEAR_CLIP8(sum) TMC_CLIP(sum, sum, 8)
#define TMC_LINEAR_CLIP16(sum) TMC_CLIP(sum, sum, 16)
/* A row of results into y, which then is that of the next row. */
#define TMC_LINEAR_STORE8(sum0, sum1, sum2, sum3) \
    TMC_PACK_LOW(sum0, sum1, sum0) TMC_PACK_HIGH(sum0, sum3, sum2) TMC_SW_STEP(sum0, "a0", "a1")
#define TMC_LINEAR_STORE16(sum0, sum1, sum2, sum3) \
    TMC_PACK_HALVES(sum2, sum3, sum2) TMC_PACK_HALVES(sum0, sum1, sum0) \
    "sw " sum2 ", 4(a0)\n" TMC_SW_STEP(sum0, "a0", "a1")

#endif
