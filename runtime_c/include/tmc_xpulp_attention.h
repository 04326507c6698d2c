/* Register blocks of attention for XpulpV2: 5 rows of x (queries, probabilities) times 4 rows of w (keys, channels of
 * the values).
 *
 * tmc_attention_blocks describes a chain of blocks; TMC_ATTENTION_BLOCKS is one asm statement that computes them. A
 * host walks the same chain in C. One pointer p visits all nine rows, so that any pitch works:
 *   w0 -W-> w1 -W-> w2 -W-> w3 -D-> x0 -X-> x1 -X-> x2 -X-> x3 -X-> x4 -E-> w0 + 4
 * A step, 4 elements of every row, is 9 loads and 20 dot products: 29 instructions without a stall for 80 MACs. The
 * first step of a block does not accumulate, which spares the clearing of 20 registers.
 *
 * Registers:
 *   a0 to a3  w0 to w3, later temporaries     s0 p     tp W     gp D
 *   a4, a5    x, in turns, later temporaries  s1 X     ra E
 *   accumulators, 4 of each row:
 *     row 0: t0 t1 t2 t3    row 1: t4 t5 t6 a6    row 2: a7 s2 s3 s4    row 3: s5 s6 s7 s8    row 4: s9 s10 s11 sp
 * Meanwhile mepc holds the address of the tmc_attention_blocks, and interrupts are off.
 */
#ifndef TMC_XPULP_ATTENTION_H
#define TMC_XPULP_ATTENTION_H

#include "tmc_xpulp.h"

#define TMC_BLOCK_X 5u
#define TMC_BLOCK_W 4u

/** A chain of blocks. The asm text knows the offsets of the fields, which on the cluster are 4 bytes each. */
typedef struct {
    uintptr_t p;          /*  0: w0 of the first block, at its first step */
    uintptr_t x_pitch;    /*  4: X */
    uintptr_t w_pitch;    /*  8: W */
    uintptr_t to_x;       /* 12: D of the first block */
    uintptr_t to_w;       /* 16: E of the first block */
    uintptr_t steps;      /* 20: of a block after its first, at least 1 */
    uintptr_t blocks;     /* 24: at least 1 */
    uintptr_t p_next;     /* 28: from the end of a block to w0 of the next */
    uintptr_t y;          /* 32: result of row 0 and w0 */
    uintptr_t y_pitch;    /* 36 */
    uintptr_t y_next;     /* 40: from row 4 to row 0 of the next block */
    uintptr_t shift;      /* 44 */
    uintptr_t first_back; /* 48: values: less than E by this is the way back after the first step */
    uintptr_t first_mask; /* 52: values: the bytes of x that count in the first step */
    uintptr_t norm;       /* 56: values: tmc_attention_norm of row 0 */
    uintptr_t saved[5];   /* 60: sp, gp, tp, ra, mstatus */
    uintptr_t limit;      /* 80: wide scores: where they saturate */
} tmc_attention_blocks;

#if defined(__riscv)

#define TMC_ATTENTION_ALL(OF) \
    OF("t0") OF("t1") OF("t2") OF("t3") OF("t4") OF("t5") OF("t6") OF("a6") OF("a7") OF("s2") \
    OF("s3") OF("s4") OF("s5") OF("s6") OF("s7") OF("s8") OF("s9") OF("s10") OF("s11") OF("sp")

/* One row of a step: its x, its accumulators. `last` is a label for the last instruction, or nothing. */
#define TMC_ATTENTION_DOTS(DOT, x, r0, r1, r2, r3, last) \
    DOT(r0, x, "a0") DOT(r1, x, "a1") DOT(r2, x, "a2") last DOT(r3, x, "a3")

/* A step: 29 instructions. MASK is done to each x; `back` is added to p at the end. */
#define TMC_ATTENTION_STEP(DOT, MASK, back, last) \
    TMC_LW_STEP("a0", "s0", "tp") TMC_LW_STEP("a1", "s0", "tp") TMC_LW_STEP("a2", "s0", "tp") \
    TMC_LW_STEP("a3", "s0", "gp") TMC_LW_STEP("a4", "s0", "s1") TMC_LW_STEP("a5", "s0", "s1") MASK("a4") \
    TMC_ATTENTION_DOTS(DOT, "a4", "t0", "t1", "t2", "t3", "") TMC_LW_STEP("a4", "s0", "s1") MASK("a5") \
    TMC_ATTENTION_DOTS(DOT, "a5", "t4", "t5", "t6", "a6", "") TMC_LW_STEP("a5", "s0", "s1") MASK("a4") \
    TMC_ATTENTION_DOTS(DOT, "a4", "a7", "s2", "s3", "s4", "") TMC_LW_STEP("a4", "s0", back) MASK("a5") \
    TMC_ATTENTION_DOTS(DOT, "a5", "s5", "s6", "s7", "s8", "") MASK("a4") \
    TMC_ATTENTION_DOTS(DOT, "a4", "s9", "s10", "s11", "sp", last)

/* Computes the chain at `chain`. first: text of the first step of a block; DOT: of the others; finish: stores 20
 * results, with a5 = chain before and after. */
#define TMC_ATTENTION_BLOCKS(chain, first, DOT, finish) do { \
    register tmc_attention_blocks *tmc_chain __asm__("a0") = (chain); \
    __asm__ volatile( \
        ".balign 4\n.option push\n.option norvc\n.option norelax\n" TMC_TEXT_CSR \
        "csrrci a1, mstatus, 8\n" \
        "sw sp, 60(a0)\nsw gp, 64(a0)\nsw tp, 68(a0)\nsw ra, 72(a0)\nsw a1, 76(a0)\n" \
        "csrw mepc, a0\nmv a5, a0\n" \
        "lw s0, 0(a5)\nlw s1, 4(a5)\nlw tp, 8(a5)\nlw gp, 12(a5)\nlw ra, 16(a5)\nlw a0, 24(a5)\n" \
        TMC_LOOP_START(0, 5) TMC_LOOP_END(0, 7) \
        TMC_LOOP_TO(1, "a0", 10, 8) \
        "lw a0, 20(a5)\n" TMC_LOOP_COUNT(0, "a0") \
        first \
        "5:\n" \
        TMC_ATTENTION_STEP(DOT, TMC_ATTENTION_NO_MASK, "ra", "7:\n") \
        "csrr a5, mepc\n" \
        finish \
        "lw a0, 28(a5)\nslli a1, tp, 2\nsub gp, gp, a1\nadd ra, ra, a1\n" \
        "8: add s0, s0, a0\n" \
        "lw sp, 60(a5)\nlw gp, 64(a5)\nlw tp, 68(a5)\nlw ra, 72(a5)\nlw a1, 76(a5)\n" \
        "csrw mstatus, a1\n" \
        ".option pop\n" \
        : "+r"(tmc_chain) : \
        : "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", \
          "s10", "s11", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "memory"); \
    } while (0)
#define TMC_ATTENTION_NO_MASK(x)

#else

/** One step on the host: the words of w0 to w3 and x0 to x4, as the pointer visits them. */
static inline void tmc_attention_visit(const tmc_attention_blocks *chain, uintptr_t *p, uintptr_t to_x, uintptr_t back,
                                       uint32_t w[TMC_BLOCK_W], uint32_t x[TMC_BLOCK_X])
{
    for (uint32_t i = 0; i < TMC_BLOCK_W; ++i) {
        w[i] = tmc_word((const void *)*p);
        *p += i + 1u < TMC_BLOCK_W ? chain->w_pitch : to_x;
    }
    for (uint32_t i = 0; i < TMC_BLOCK_X; ++i) {
        x[i] = tmc_word((const void *)*p);
        *p += i + 1u < TMC_BLOCK_X ? chain->x_pitch : back;
    }
}

#endif

/** Return the mask of the bytes that belong to a row of `elements`, in its last word. */
static inline uint32_t tmc_last_mask(uint32_t elements)
{
    return 0xFFFFFFFFu >> (8u * (3u & (0u - elements)));
}

/** Four sums, and where the rows that they belong to go on. */
typedef struct {
    int32_t sum0, sum1, sum2, sum3;
    const uint8_t *x, *w0, *w1, *w2, *w3;
} tmc_attention_four;

/* Adds the products of `words` words, at least 1, of the row x and of 4 others to a tmc_attention_four: 9 instructions
 * a word for 16 MACs. */
#if defined(__riscv)
#define TMC_ATTENTION_WORDS(four, words, DOT, dot) do { \
    uint32_t a_, b0_, b1_, b2_, b3_; \
    __asm__(".balign 4\n" \
            TMC_LOOP(0, "%[rounds]", 9, 7) \
            TMC_LW_POST("%[a]", "%[x]", 4) TMC_LW_POST("%[b0]", "%[w0]", 4) TMC_LW_POST("%[b1]", "%[w1]", 4) \
            TMC_LW_POST("%[b2]", "%[w2]", 4) TMC_LW_POST("%[b3]", "%[w3]", 4) \
            DOT("%[s0]", "%[a]", "%[b0]") DOT("%[s1]", "%[a]", "%[b1]") DOT("%[s2]", "%[a]", "%[b2]") \
            "7: " DOT("%[s3]", "%[a]", "%[b3]") \
            : [s0] "+r"((four).sum0), [s1] "+r"((four).sum1), [s2] "+r"((four).sum2), [s3] "+r"((four).sum3), \
              [x] "+r"((four).x), [w0] "+r"((four).w0), [w1] "+r"((four).w1), [w2] "+r"((four).w2), \
              [w3] "+r"((four).w3), [a] "=&r"(a_), [b0] "=&r"(b0_), [b1] "=&r"(b1_), [b2] "=&r"(b2_), [b3] "=&r"(b3_) \
            : [rounds] "r"(words) \
            : "memory"); \
    } while (0)
#else
#define TMC_ATTENTION_WORDS(four, words, DOT, dot) do { \
    for (uint32_t left_ = (words); left_ != 0u; --left_) \
        TMC_ATTENTION_WORD(four, tmc_next_word(&(four).x), dot); \
    } while (0)
#endif

/* The same for one word, the row's being given. */
#define TMC_ATTENTION_WORD(four, word, dot) do { \
    const uint32_t x_ = (word); \
    (four).sum0 = dot((four).sum0, x_, tmc_next_word(&(four).w0)); \
    (four).sum1 = dot((four).sum1, x_, tmc_next_word(&(four).w1)); \
    (four).sum2 = dot((four).sum2, x_, tmc_next_word(&(four).w2)); \
    (four).sum3 = dot((four).sum3, x_, tmc_next_word(&(four).w3)); \
    } while (0)

/* Defines a function: products of the row x of `depth` bytes with 4 rows from w on, of which only `rows` exist. For
 * what the blocks leave over. */
#define TMC_ATTENTION_ROW(name, DOT, dot) \
    static void name(int32_t sums[4], const void *x, const void *w, uint32_t w_pitch, uint32_t rows, uint32_t depth) \
    { \
        const uint8_t *first = (const uint8_t *)w; \
        tmc_attention_four four = { \
            0, 0, 0, 0, (const uint8_t *)x, first, first + (rows > 1u ? w_pitch : 0u), \
            first + (rows > 2u ? 2u * w_pitch : 0u), first + (rows > 3u ? 3u * w_pitch : 0u), \
        }; \
        if (depth >= 4u) \
            TMC_ATTENTION_WORDS(four, depth / 4u, DOT, dot); \
        if (depth % 4u != 0u) \
            TMC_ATTENTION_WORD(four, tmc_next_word(&four.x) & tmc_last_mask(depth), dot); \
        sums[0] = four.sum0, sums[1] = four.sum1, sums[2] = four.sum2, sums[3] = four.sum3; \
    }

#endif
