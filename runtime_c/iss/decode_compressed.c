/* RV32C: each 16-bit instruction is another spelling of a 32-bit one. */
#include "decode.h"

enum { ZERO = 0, RA = 1, SP = 2 };

enum Opcode {
    OP_LOAD = 0x03,
    OP_IMM = 0x13,
    OP_STORE = 0x23,
    OP_REGISTER = 0x33,
    OP_LUI = 0x37,
    OP_BRANCH = 0x63,
    OP_JALR = 0x67,
    OP_JAL = 0x6f,
};

#define EBREAK 0x00100073u

/* Move bits high to low of a 16-bit instruction to a place in its immediate. */
static uint32_t field(uint32_t half, unsigned high, unsigned low, unsigned place)
{
    return (half >> low & ((1u << (high - low + 1)) - 1)) << place;
}

static uint32_t sign_extend(uint32_t value, unsigned width)
{
    return (uint32_t)((int32_t)(value << (32 - width)) >> (32 - width));
}

static uint32_t i_type(uint32_t imm, uint32_t rs1, uint32_t funct3, uint32_t rd, enum Opcode opcode)
{
    return imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}

static uint32_t r_type(uint32_t funct7, uint32_t rs2, uint32_t rs1, uint32_t funct3, uint32_t rd)
{
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | OP_REGISTER;
}

static uint32_t store_word(uint32_t imm, uint32_t rs2, uint32_t rs1)
{
    return (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | 2u << 12 | (imm & 0x1f) << 7 | OP_STORE;
}

static uint32_t jump(uint32_t offset, uint32_t rd)
{
    return field(offset, 20, 20, 31) | field(offset, 10, 1, 21) | field(offset, 11, 11, 20) |
           field(offset, 19, 12, 12) | rd << 7 | OP_JAL;
}

static uint32_t branch_on_zero(uint32_t offset, uint32_t rs1, uint32_t funct3)
{
    return field(offset, 12, 12, 31) | field(offset, 10, 5, 25) | rs1 << 15 | funct3 << 12 |
           field(offset, 4, 1, 8) | field(offset, 11, 11, 7) | OP_BRANCH;
}

/* Quadrant 0: loads and stores by a pointer in x8 to x15. */
static uint32_t expand_memory(uint32_t half)
{
    uint32_t rd = field(half, 4, 2, 0) + 8, rs1 = field(half, 9, 7, 0) + 8;
    uint32_t offset = field(half, 12, 10, 3) | field(half, 6, 6, 2) | field(half, 5, 5, 6);
    uint32_t stack =
        field(half, 10, 7, 6) | field(half, 12, 11, 4) | field(half, 5, 5, 3) | field(half, 6, 6, 2);
    switch (half >> 13) {
    case 0:
        return stack != 0 ? i_type(stack, SP, 0, rd, OP_IMM) : 0;
    case 2:
        return i_type(offset, rs1, 2, rd, OP_LOAD);
    case 6:
        return store_word(offset, rd, rs1);
    default:
        return 0;
    }
}

static uint32_t expand_alu(uint32_t half, uint32_t imm6)
{
    uint32_t rd = field(half, 9, 7, 0) + 8, rs2 = field(half, 4, 2, 0) + 8, shift = imm6 & 0x3f;
    switch (field(half, 11, 10, 0)) {
    case 0:
        return shift < 32 ? i_type(shift, rd, 5, rd, OP_IMM) : 0;
    case 1:
        return shift < 32 ? i_type(0x400 | shift, rd, 5, rd, OP_IMM) : 0;
    case 2:
        return i_type(imm6, rd, 7, rd, OP_IMM);
    default:
        break;
    }
    if (field(half, 12, 12, 0)) {
        return 0;
    }
    switch (field(half, 6, 5, 0)) {
    case 0:
        return r_type(0x20, rs2, rd, 0, rd);
    case 1:
        return r_type(0, rs2, rd, 4, rd);
    case 2:
        return r_type(0, rs2, rd, 6, rd);
    default:
        return r_type(0, rs2, rd, 7, rd);
    }
}

/* Quadrant 1: immediates, jumps, branches. */
static uint32_t expand_immediate(uint32_t half)
{
    uint32_t rd = field(half, 11, 7, 0);
    uint32_t imm6 = sign_extend(field(half, 12, 12, 5) | field(half, 6, 2, 0), 6);
    uint32_t stack = sign_extend(field(half, 12, 12, 9) | field(half, 6, 6, 4) | field(half, 5, 5, 6) |
                                     field(half, 4, 3, 7) | field(half, 2, 2, 5), 10);
    uint32_t target = sign_extend(field(half, 12, 12, 11) | field(half, 11, 11, 4) | field(half, 10, 9, 8) |
                                      field(half, 8, 8, 10) | field(half, 7, 7, 6) | field(half, 6, 6, 7) |
                                      field(half, 5, 3, 1) | field(half, 2, 2, 5), 12);
    uint32_t near = sign_extend(field(half, 12, 12, 8) | field(half, 11, 10, 3) | field(half, 6, 5, 6) |
                                    field(half, 4, 3, 1) | field(half, 2, 2, 5), 9);
    switch (half >> 13) {
    case 0:
        return i_type(imm6, rd, 0, rd, OP_IMM);
    case 1:
        return jump(target, RA);
    case 2:
        return i_type(imm6, ZERO, 0, rd, OP_IMM);
    case 3:
        if (rd == SP) {
            return stack != 0 ? i_type(stack, SP, 0, SP, OP_IMM) : 0;
        }
        return imm6 != 0 ? imm6 << 12 | rd << 7 | OP_LUI : 0;
    case 4:
        return expand_alu(half, imm6);
    case 5:
        return jump(target, ZERO);
    case 6:
        return branch_on_zero(near, field(half, 9, 7, 0) + 8, 0);
    default:
        return branch_on_zero(near, field(half, 9, 7, 0) + 8, 1);
    }
}

/* Quadrant 2: the stack, moves, and jumps to registers. */
static uint32_t expand_stack(uint32_t half)
{
    uint32_t rd = field(half, 11, 7, 0), rs2 = field(half, 6, 2, 0), high = field(half, 12, 12, 0);
    uint32_t load = field(half, 12, 12, 5) | field(half, 6, 4, 2) | field(half, 3, 2, 6);
    switch (half >> 13) {
    case 0:
        return high == 0 ? i_type(rs2, rd, 1, rd, OP_IMM) : 0;
    case 2:
        return rd != ZERO ? i_type(load, SP, 2, rd, OP_LOAD) : 0;
    case 4:
        if (rs2 != ZERO) {
            return r_type(0, rs2, high ? rd : ZERO, 0, rd);
        }
        if (rd != ZERO) {
            return i_type(0, rd, 0, high ? RA : ZERO, OP_JALR);
        }
        return high ? EBREAK : 0;
    case 6:
        return store_word(field(half, 12, 9, 2) | field(half, 8, 7, 6), rs2, SP);
    default:
        return 0;
    }
}

uint32_t expand_compressed(uint16_t half)
{
    switch (half & 3) {
    case 0:
        return expand_memory(half);
    case 1:
        return expand_immediate(half);
    default:
        return expand_stack(half);
    }
}
