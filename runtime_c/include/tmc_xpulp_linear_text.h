/* The asm statements that compute a tmc_linear_blocks of 1 to 5 rows; see tmc_xpulp_linear.h.
 *
 * Per step of 4 k and of 5 rows: 9 loads and 20 pv.sdotsp.b, 29 instructions without a stall for 80 MACs. Per block
 * besides: 20 to clear the sums, 54 to requantise, 13 to move on, and those of `finish`. A block is 500 to 700 bytes
 * of code: it nearly fits a core's instruction cache of 512 bytes. Cache lines have 16 bytes. Blocks of fewer rows have
 * the same registers, and less of everything.
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

/* The number of rows is the digit 1 to 5 in all of these. EACH: of every sum; EACH_ROW: of the sums of every row. */
#define TMC_LINEAR_EACH_1(of) of("t0") of("t1") of("t2") of("t3")
#define TMC_LINEAR_EACH_2(of) TMC_LINEAR_EACH_1(of) of("t4") of("t5") of("t6") of("a6")
#define TMC_LINEAR_EACH_3(of) TMC_LINEAR_EACH_2(of) of("a7") of("s2") of("s3") of("s4")
#define TMC_LINEAR_EACH_4(of) TMC_LINEAR_EACH_3(of) of("s5") of("s6") of("s7") of("s8")
#define TMC_LINEAR_EACH_5(of) TMC_LINEAR_EACH_4(of) of("s9") of("s10") of("s11") of("sp")
#define TMC_LINEAR_EACH(rows, of) TMC_LINEAR_EACH_##rows(of)
#define TMC_LINEAR_EACH_ROW_1(of) of("t0", "t1", "t2", "t3")
#define TMC_LINEAR_EACH_ROW_2(of) TMC_LINEAR_EACH_ROW_1(of) of("t4", "t5", "t6", "a6")
#define TMC_LINEAR_EACH_ROW_3(of) TMC_LINEAR_EACH_ROW_2(of) of("a7", "s2", "s3", "s4")
#define TMC_LINEAR_EACH_ROW_4(of) TMC_LINEAR_EACH_ROW_3(of) of("s5", "s6", "s7", "s8")
#define TMC_LINEAR_EACH_ROW_5(of) TMC_LINEAR_EACH_ROW_4(of) of("s9", "s10", "s11", "sp")
#define TMC_LINEAR_EACH_ROW(rows, of) TMC_LINEAR_EACH_ROW_##rows(of)
/* The sums of channel 0 to 3, row by row: of(a, sum, number of the row). */
#define TMC_LINEAR_COLUMN_1(of, a, sum0, sum1, sum2, sum3, sum4) of(a, sum0, 0)
#define TMC_LINEAR_COLUMN_2(of, a, sum0, sum1, sum2, sum3, sum4) of(a, sum0, 0) of(a, sum1, 1)
#define TMC_LINEAR_COLUMN_3(of, a, sum0, sum1, sum2, sum3, sum4) of(a, sum0, 0) of(a, sum1, 1) of(a, sum2, 2)
#define TMC_LINEAR_COLUMN_4(of, a, sum0, sum1, sum2, sum3, sum4) \
    of(a, sum0, 0) of(a, sum1, 1) of(a, sum2, 2) of(a, sum3, 3)
#define TMC_LINEAR_COLUMN_5(of, a, sum0, sum1, sum2, sum3, sum4) \
    of(a, sum0, 0) of(a, sum1, 1) of(a, sum2, 2) of(a, sum3, 3) of(a, sum4, 4)
#define TMC_LINEAR_COLUMN0(rows, of, a) TMC_LINEAR_COLUMN_##rows(of, a, "t0", "t4", "a7", "s5", "s9")
#define TMC_LINEAR_COLUMN1(rows, of, a) TMC_LINEAR_COLUMN_##rows(of, a, "t1", "t5", "s2", "s6", "s10")
#define TMC_LINEAR_COLUMN2(rows, of, a) TMC_LINEAR_COLUMN_##rows(of, a, "t2", "t6", "s3", "s7", "s11")
#define TMC_LINEAR_COLUMN3(rows, of, a) TMC_LINEAR_COLUMN_##rows(of, a, "t3", "a6", "s4", "s8", "sp")

#define TMC_LINEAR_CLEAR(sum) "li " sum ", 0\n"

/* One row of a step; `dot` is TMC_SDOT_S8S8 or TMC_SDOT_S16S16, `last` a label for the last instruction, or nothing. */
#define TMC_LINEAR_DOT(dot, x, sum0, sum1, sum2, sum3, last) \
    dot(sum0, x, "a0") dot(sum1, x, "a1") dot(sum2, x, "a2") last dot(sum3, x, "a3")
#define TMC_LINEAR_WEIGHTS \
    TMC_LW_STEP("a0", "s0", "tp") TMC_LW_STEP("a1", "s0", "tp") TMC_LW_STEP("a2", "s0", "tp") TMC_LW_STEP("a3", "s0", "gp")
#define TMC_LINEAR_DOT0(dot, last) TMC_LINEAR_DOT(dot, "a4", "t0", "t1", "t2", "t3", last)
#define TMC_LINEAR_DOT1(dot, last) TMC_LINEAR_DOT(dot, "a5", "t4", "t5", "t6", "a6", last)
#define TMC_LINEAR_DOT2(dot, last) TMC_LINEAR_DOT(dot, "a4", "a7", "s2", "s3", "s4", last)
#define TMC_LINEAR_DOT3(dot, last) TMC_LINEAR_DOT(dot, "a5", "s5", "s6", "s7", "s8", last)
#define TMC_LINEAR_DOT4(dot, last) TMC_LINEAR_DOT(dot, "a4", "s9", "s10", "s11", "sp", last)

/* A step, and how many instructions it has. One row alone waits for its word of x. */
#define TMC_LINEAR_LENGTH_1 9
#define TMC_LINEAR_STEP_1(dot) TMC_LINEAR_WEIGHTS TMC_LW_STEP("a4", "s0", "ra") TMC_LINEAR_DOT0(dot, "7: ")
#define TMC_LINEAR_LENGTH_2 14
#define TMC_LINEAR_STEP_2(dot) \
    TMC_LINEAR_WEIGHTS TMC_LW_STEP("a4", "s0", "s1") TMC_LW_STEP("a5", "s0", "ra") \
    TMC_LINEAR_DOT0(dot, "") TMC_LINEAR_DOT1(dot, "7: ")
#define TMC_LINEAR_LENGTH_3 19
#define TMC_LINEAR_STEP_3(dot) \
    TMC_LINEAR_WEIGHTS TMC_LW_STEP("a4", "s0", "s1") TMC_LW_STEP("a5", "s0", "s1") \
    TMC_LINEAR_DOT0(dot, "") TMC_LW_STEP("a4", "s0", "ra") TMC_LINEAR_DOT1(dot, "") TMC_LINEAR_DOT2(dot, "7: ")
#define TMC_LINEAR_LENGTH_4 24
#define TMC_LINEAR_STEP_4(dot) \
    TMC_LINEAR_WEIGHTS TMC_LW_STEP("a4", "s0", "s1") TMC_LW_STEP("a5", "s0", "s1") \
    TMC_LINEAR_DOT0(dot, "") TMC_LW_STEP("a4", "s0", "s1") TMC_LINEAR_DOT1(dot, "") TMC_LW_STEP("a5", "s0", "ra") \
    TMC_LINEAR_DOT2(dot, "") TMC_LINEAR_DOT3(dot, "7: ")
#define TMC_LINEAR_LENGTH_5 29
#define TMC_LINEAR_STEP_5(dot) \
    TMC_LINEAR_WEIGHTS TMC_LW_STEP("a4", "s0", "s1") TMC_LW_STEP("a5", "s0", "s1") \
    TMC_LINEAR_DOT0(dot, "") TMC_LW_STEP("a4", "s0", "s1") TMC_LINEAR_DOT1(dot, "") TMC_LW_STEP("a5", "s0", "s1") \
    TMC_LINEAR_DOT2(dot, "") TMC_LW_STEP("a4", "s0", "ra") TMC_LINEAR_DOT3(dot, "") TMC_LINEAR_DOT4(dot, "7: ")

/* (sum * multiplier + bias) >> shift, as sum + sum * (multiplier - 1): no instruction multiplies and adds to
 * a third register. */
#define TMC_LINEAR_CONSTANTS(multiplier, bias) "lw " bias ", 4(s0)\n" TMC_LW_STEP(multiplier, "s0", "tp")
#define TMC_LINEAR_MULTIPLY(multiplier, sum, row) TMC_MAC(sum, sum, multiplier)
#define TMC_LINEAR_SHIFT(bias, sum, row) TMC_ADD_SHIFT(sum, bias, "a4")
#define TMC_LINEAR_CHANNEL(column, rows, multiplier, bias) \
    "addi " multiplier ", " multiplier ", -1\n" \
    column(rows, TMC_LINEAR_MULTIPLY, multiplier) column(rows, TMC_LINEAR_SHIFT, bias)

/* Leaves shifted sums and a5 = chain; a0 to a4 are free then. */
#define TMC_LINEAR_REQUANTISE(rows) \
    "csrr a5, mepc\n" \
    TMC_LINEAR_CONSTANTS("a0", "a1") TMC_LINEAR_CONSTANTS("a2", "a3") \
    "lw a4, 48(a5)\n" \
    TMC_LINEAR_CHANNEL(TMC_LINEAR_COLUMN0, rows, "a0", "a1") TMC_LINEAR_CONSTANTS("a0", "a1") \
    TMC_LINEAR_CHANNEL(TMC_LINEAR_COLUMN1, rows, "a2", "a3") TMC_LINEAR_CONSTANTS("a2", "a3") \
    TMC_LINEAR_CHANNEL(TMC_LINEAR_COLUMN2, rows, "a0", "a1") \
    TMC_LINEAR_CHANNEL(TMC_LINEAR_COLUMN3, rows, "a2", "a3")

/* The same with a row of biases for each row of x: s0 = shift, s1 = from row to row, a5 = biases of a row. */
#define TMC_LINEAR_BIASED(multiplier, sum, offset) \
    "lw a4, " offset "(a5)\n" TMC_MAC(sum, sum, multiplier) TMC_ADD_SHIFT(sum, "a4", "s0")
#define TMC_LINEAR_BIASED_ROW(sum0, sum1, sum2, sum3) \
    TMC_LINEAR_BIASED("a0", sum0, "0") TMC_LINEAR_BIASED("a1", sum1, "4") \
    TMC_LINEAR_BIASED("a2", sum2, "8") TMC_LINEAR_BIASED("a3", sum3, "12") "add a5, a5, s1\n"
#define TMC_LINEAR_REQUANTISE_GROUPED(rows) \
    "csrr a5, mepc\n" \
    TMC_LW_STEP("a0", "s0", "tp") TMC_LW_STEP("a1", "s0", "tp") TMC_LW_STEP("a2", "s0", "tp") TMC_LW_STEP("a3", "s0", "tp") \
    "sw s0, 0(a5)\nlw s0, 48(a5)\nlw s1, 80(a5)\nlw a5, 76(a5)\n" \
    "addi a0, a0, -1\naddi a1, a1, -1\naddi a2, a2, -1\naddi a3, a3, -1\n" \
    TMC_LINEAR_EACH_ROW(rows, TMC_LINEAR_BIASED_ROW) \
    "csrr a5, mepc\nlw s0, 0(a5)\nlw s1, 4(a5)\nlw a0, 76(a5)\naddi a0, a0, 16\nsw a0, 76(a5)\n"

/* Defines a function for blocks of so many rows. It must not be inlined: nothing else may count on sp. `finish` gets the
 * shifted sums, a5 = chain, a0 = y and a1 = y_pitch, and may use a0 to a4. */
#define TMC_LINEAR_RUN_ROWS(run, rows, dot, requantise, finish) \
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
            TMC_LINEAR_EACH_##rows(TMC_LINEAR_CLEAR) \
            TMC_LOOP(0, "a0", TMC_LINEAR_LENGTH_##rows, 7) \
            TMC_LINEAR_STEP_##rows(dot) \
            requantise(rows) \
            "lw a0, 36(a5)\nlw a1, 40(a5)\n" \
            finish(rows) \
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

/* Defines the function `run`, for any number of rows. */
#define TMC_LINEAR_RUN_OF(run, dot, requantise, finish) \
    TMC_LINEAR_RUN_ROWS(run##_1, 1, dot, requantise, finish) \
    TMC_LINEAR_RUN_ROWS(run##_2, 2, dot, requantise, finish) \
    TMC_LINEAR_RUN_ROWS(run##_3, 3, dot, requantise, finish) \
    TMC_LINEAR_RUN_ROWS(run##_4, 4, dot, requantise, finish) \
    TMC_LINEAR_RUN_ROWS(run##_5, 5, dot, requantise, finish) \
    static void run(tmc_linear_blocks *chain, uint32_t rows) \
    { \
        if (rows == 5u) \
            run##_5(chain); \
        else if (rows == 4u) \
            run##_4(chain); \
        else if (rows == 3u) \
            run##_3(chain); \
        else if (rows == 2u) \
            run##_2(chain); \
        else \
            run##_1(chain); \
    }
#define TMC_LINEAR_RUN(run, finish, put) TMC_LINEAR_RUN_OF(run, TMC_SDOT_S8S8, TMC_LINEAR_REQUANTISE, finish)
#define TMC_LINEAR_RUN_GROUPED(run, finish, put) \
    TMC_LINEAR_RUN_OF(run, TMC_SDOT_S16S16, TMC_LINEAR_REQUANTISE_GROUPED, finish)

#define TMC_LINEAR_CLIP8(sum) TMC_CLIP(sum, sum, 8)
#define TMC_LINEAR_CLIP16(sum) TMC_CLIP(sum, sum, 16)
/* A row of results into y, which then is that of the next row. */
#define TMC_LINEAR_STORE8(sum0, sum1, sum2, sum3) \
    TMC_PACK_LOW(sum0, sum1, sum0) TMC_PACK_HIGH(sum0, sum3, sum2) TMC_SW_STEP(sum0, "a0", "a1")
#define TMC_LINEAR_STORE16(sum0, sum1, sum2, sum3) \
    TMC_PACK_HALVES(sum2, sum3, sum2) TMC_PACK_HALVES(sum0, sum1, sum0) \
    "sw " sum2 ", 4(a0)\n" TMC_SW_STEP(sum0, "a0", "a1")
#define TMC_LINEAR_STORE32(sum0, sum1, sum2, sum3) \
    "sw " sum1 ", 4(a0)\nsw " sum2 ", 8(a0)\nsw " sum3 ", 12(a0)\n" TMC_SW_STEP(sum0, "a0", "a1")
/* A channel of results into y, which then is that of the next channel: five bytes are no word, each is stored alone. */
#define TMC_LINEAR_STORE_BYTE(a, sum, row) "sb " sum ", " #row "(a0)\n"
#define TMC_LINEAR_STORE_COLUMNS(rows) \
    TMC_LINEAR_COLUMN0(rows, TMC_LINEAR_STORE_BYTE, ) "add a0, a0, a1\n" \
    TMC_LINEAR_COLUMN1(rows, TMC_LINEAR_STORE_BYTE, ) "add a0, a0, a1\n" \
    TMC_LINEAR_COLUMN2(rows, TMC_LINEAR_STORE_BYTE, ) "add a0, a0, a1\n" \
    TMC_LINEAR_COLUMN3(rows, TMC_LINEAR_STORE_BYTE, )

#endif
