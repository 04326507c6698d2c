/* Instructions as the simulator keeps them: decoded once, then executed from the cache. */
#ifndef TMC_ISS_DECODE_H
#define TMC_ISS_DECODE_H

#include <stdint.h>

#include "hart.h"

typedef struct Insn Insn;

typedef void Execute(Hart *hart, Insn *insn);

struct Insn {
    Execute *execute;
    int32_t imm;
    uint8_t rd, rs1, rs2;
    uint8_t length; /* Bytes: 2 or 4. */
};

/* Operand formats of the encoding tables, and what each leaves in an Insn besides rd, rs1 and rs2. */
typedef enum Operands {
    NONE,       /* nothing */
    RR,         /* rd, rs1, rs2 */
    R,          /* rd, rs1 */
    I,          /* imm: 12 bits, signed */
    S,          /* imm: 12 bits, signed, of a store */
    STORE_RR,   /* rd: the register that is added to the base */
    BRANCH,     /* imm: signed offset */
    BRANCH_IMM, /* imm: signed offset; rs2: the 5 bits to compare with */
    U,          /* imm: the upper 20 bits, in place */
    JUMP,       /* imm: signed offset */
    UIMM5,      /* imm: the rs2 field */
    SIMM6,      /* imm: rs2 field and bit 25, signed */
    UIMM6,      /* the same, unsigned */
    SHIFT,      /* imm: bits 29 to 25 */
    BITS,       /* imm: position (rs2 field) + 32 * (width - 1) */
    CSR,        /* imm: register number; rs1: register or 5-bit immediate */
    LOOP,       /* imm: 12 bits, unsigned; rd: the loop */
} Operands;

/* Decode a 32-bit instruction; execute is null if no table has it. */
Insn decode(uint32_t word);

/* Expand a 16-bit instruction to the 32-bit one it stands for; 0 if there is none. */
uint32_t expand_compressed(uint16_t half);

#endif
