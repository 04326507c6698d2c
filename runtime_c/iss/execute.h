/* One function per row of the encoding tables. */
#ifndef TMC_ISS_EXECUTE_H
#define TMC_ISS_EXECUTE_H

#include "decode.h"

#define INSTRUCTION(function, mnemonic, match, mask, operands) Execute execute_##function;
#include "encodings_rv32.h"
#include "encodings_xpulp.h"
#include "encodings_simd.h"
#undef INSTRUCTION

/* Begin the definition of the function of one instruction. */
#define EXECUTE(function) void execute_##function(Hart *hart, Insn *insn)

/* Operands, for use inside EXECUTE. x0 is cleared after every instruction, so RD may be x0. */
#define RD (hart->x[insn->rd])
#define RS1 (hart->x[insn->rs1])
#define RS2 (hart->x[insn->rs2])
#define UIMM ((uint32_t)insn->imm)

#endif
