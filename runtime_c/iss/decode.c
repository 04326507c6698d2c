/* From a 32-bit word to an instruction, by the encoding tables. */
#include "decode.h"

#include <stddef.h>

#include "execute.h"

typedef struct Row {
    uint32_t match, mask;
    Operands operands;
    Execute *execute;
} Row;

static const Row ROWS[] = {
#define INSTRUCTION(function, mnemonic, match, mask, operands) {match, mask, operands, execute_##function},
#include "encodings_rv32.h"
#include "encodings_xpulp.h"
#include "encodings_simd.h"
#undef INSTRUCTION
};

/* Return bits high to low of a word. */
static uint32_t bits(uint32_t word, unsigned high, unsigned low)
{
    return word >> low & ((1u << (high - low + 1)) - 1);
}

/* Return the lowest bits of a value as a signed number. */
static int32_t sign_extend(uint32_t value, unsigned width)
{
    return (int32_t)(value << (32 - width)) >> (32 - width);
}

static int32_t branch_offset(uint32_t word)
{
    uint32_t offset =
        bits(word, 31, 31) << 12 | bits(word, 7, 7) << 11 | bits(word, 30, 25) << 5 | bits(word, 11, 8) << 1;
    return sign_extend(offset, 13);
}

static int32_t jump_offset(uint32_t word)
{
    uint32_t offset =
        bits(word, 31, 31) << 20 | bits(word, 19, 12) << 12 | bits(word, 20, 20) << 11 | bits(word, 30, 21) << 1;
    return sign_extend(offset, 21);
}

static int32_t immediate(uint32_t word, Operands operands)
{
    switch (operands) {
    case NONE:
    case RR:
    case R:
    case STORE_RR:
        return 0;
    case I:
        return (int32_t)word >> 20;
    case S:
        return sign_extend(bits(word, 31, 25) << 5 | bits(word, 11, 7), 12);
    case BRANCH:
    case BRANCH_IMM:
        return branch_offset(word);
    case U:
        return (int32_t)(word & 0xfffff000u);
    case JUMP:
        return jump_offset(word);
    case UIMM5:
        return (int32_t)bits(word, 24, 20);
    case SIMM6:
        return sign_extend(bits(word, 24, 20) << 1 | bits(word, 25, 25), 6);
    case UIMM6:
        return (int32_t)(bits(word, 24, 20) << 1 | bits(word, 25, 25));
    case SHIFT:
        return (int32_t)bits(word, 29, 25);
    case BITS:
        return (int32_t)(bits(word, 24, 20) | bits(word, 29, 25) << 5);
    case CSR:
    case LOOP:
        return (int32_t)bits(word, 31, 20);
    }
    return 0;
}

Insn decode(uint32_t word)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if ((word & ROWS[i].mask) == ROWS[i].match) {
            return (Insn){
                .execute = ROWS[i].execute,
                .imm = immediate(word, ROWS[i].operands),
                .rd = (uint8_t)bits(word, 11, 7),
                .rs1 = (uint8_t)bits(word, 19, 15),
                .rs2 = (uint8_t)bits(word, 24, 20),
                .length = 4,
            };
        }
    }
    return (Insn){.execute = NULL, .length = 4};
}
