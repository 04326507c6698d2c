/* RV32IM without loads and stores. */
#include "execute.h"

/* Upper immediates and jumps. */
EXECUTE(lui) { RD = UIMM; }
EXECUTE(auipc) { RD = hart->pc + UIMM; }

EXECUTE(jal)
{
    RD = hart->pc + insn->length;
    hart->next_pc = hart->pc + UIMM;
}

EXECUTE(jalr)
{
    uint32_t target = (RS1 + UIMM) & ~1u;
    RD = hart->pc + insn->length;
    hart->next_pc = target;
}

/* Branches. */
#define BRANCH_IF(function, condition)          \
    EXECUTE(function)                           \
    {                                           \
        if (condition) {                        \
            hart->next_pc = hart->pc + UIMM;    \
        }                                       \
    }

BRANCH_IF(beq, RS1 == RS2)
BRANCH_IF(bne, RS1 != RS2)
BRANCH_IF(blt, (int32_t)RS1 < (int32_t)RS2)
BRANCH_IF(bge, (int32_t)RS1 >= (int32_t)RS2)
BRANCH_IF(bltu, RS1 < RS2)
BRANCH_IF(bgeu, RS1 >= RS2)

/* The immediate of these two is the rs2 field, as a signed 5-bit number. */
#define IMM5 ((insn->rs2 ^ 0x10) - 0x10)
BRANCH_IF(p_beqimm, (int32_t)RS1 == IMM5)
BRANCH_IF(p_bneimm, (int32_t)RS1 != IMM5)

/* Arithmetic and logic. */
EXECUTE(addi) { RD = RS1 + UIMM; }
EXECUTE(slti) { RD = (int32_t)RS1 < insn->imm; }
EXECUTE(sltiu) { RD = RS1 < UIMM; }
EXECUTE(xori) { RD = RS1 ^ UIMM; }
EXECUTE(ori) { RD = RS1 | UIMM; }
EXECUTE(andi) { RD = RS1 & UIMM; }
EXECUTE(slli) { RD = RS1 << UIMM; }
EXECUTE(srli) { RD = RS1 >> UIMM; }
EXECUTE(srai) { RD = (uint32_t)((int32_t)RS1 >> UIMM); }

EXECUTE(add) { RD = RS1 + RS2; }
EXECUTE(sub) { RD = RS1 - RS2; }
EXECUTE(sll) { RD = RS1 << (RS2 & 31); }
EXECUTE(slt) { RD = (int32_t)RS1 < (int32_t)RS2; }
EXECUTE(sltu) { RD = RS1 < RS2; }
EXECUTE(xor) { RD = RS1 ^ RS2; }
EXECUTE(srl) { RD = RS1 >> (RS2 & 31); }
EXECUTE(sra) { RD = (uint32_t)((int32_t)RS1 >> (RS2 & 31)); }
EXECUTE(or) { RD = RS1 | RS2; }
EXECUTE(and) { RD = RS1 & RS2; }

/* Multiplication and division; division by zero and overflow have defined results. */
EXECUTE(mul) { RD = RS1 * RS2; }
EXECUTE(mulh) { RD = (uint32_t)((int64_t)(int32_t)RS1 * (int32_t)RS2 >> 32); }
EXECUTE(mulhsu) { RD = (uint32_t)((int64_t)(int32_t)RS1 * (int64_t)RS2 >> 32); }
EXECUTE(mulhu) { RD = (uint32_t)((uint64_t)RS1 * RS2 >> 32); }

/* Whether -2^31 is divided by -1. */
static int overflows(uint32_t dividend, uint32_t divisor)
{
    return dividend == 0x80000000u && divisor == 0xffffffffu;
}

EXECUTE(div)
{
    uint32_t a = RS1, b = RS2;
    RD = b == 0 ? 0xffffffffu : overflows(a, b) ? a : (uint32_t)((int32_t)a / (int32_t)b);
}

EXECUTE(divu)
{
    uint32_t a = RS1, b = RS2;
    RD = b == 0 ? 0xffffffffu : a / b;
}

EXECUTE(rem)
{
    uint32_t a = RS1, b = RS2;
    RD = b == 0 ? a : overflows(a, b) ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
}

EXECUTE(remu)
{
    uint32_t a = RS1, b = RS2;
    RD = b == 0 ? a : a % b;
}

/* One hart runs at a time and memory has no caches to synchronise. */
EXECUTE(fence)
{
    (void)hart;
    (void)insn;
}

EXECUTE(fence_i)
{
    (void)hart;
    (void)insn;
}
