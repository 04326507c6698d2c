/* The XpulpV2 instructions that the kernels use, as assembly text.
 *
 * The assembler of the GAP9 SDK knows the mnemonics; stock binutils get the same words through .insn. Every macro
 * is one instruction of 4 bytes. Operands are texts: registers ("a0", or "%0" of an asm statement) and numbers.
 * "x" operands that the hardware reads as numbers are written as registers x0 to x31 for .insn.
 */
#ifndef TMC_XPULP_TEXT_H
#define TMC_XPULP_TEXT_H

#if defined(__pulp__) || defined(__gap9__)
/* d, a, b: registers. n: a number, bare. */
#define TMC_TEXT_R(mnemonic, opcode, funct3, funct7, d, a, b) mnemonic " " d ", " a ", " b "\n"
#define TMC_TEXT_R1(mnemonic, opcode, funct3, funct7, d, a) mnemonic " " d ", " a "\n"
#define TMC_TEXT_RN(mnemonic, opcode, funct3, funct7, d, a, n) mnemonic " " d ", " a ", " #n "\n"
#define TMC_TEXT_LOAD_POST(mnemonic, funct3, d, base, n) mnemonic " " d ", " #n "(" base "!)\n"
#define TMC_TEXT_STORE_POST(mnemonic, funct3, value, base, n) mnemonic " " value ", " #n "(" base "!)\n"
#define TMC_TEXT_LOAD_AT(mnemonic, funct7, d, base, offset) mnemonic " " d ", " offset "(" base ")\n"
#define TMC_TEXT_LOAD_STEP(mnemonic, funct7, d, base, step) mnemonic " " d ", " step "(" base "!)\n"
#define TMC_TEXT_STORE_STEP(mnemonic, funct3, value, base, step) mnemonic " " value ", " step "(" base "!)\n"
#define TMC_TEXT_LOOP(number, count, instructions, last) "lp.setup x" #number ", " count ", " #last "f\n"
#define TMC_TEXT_LOOP_TO(number, count, count_number, last) "lp.setup x" #number ", " count ", " #last "f\n"
#define TMC_TEXT_LOOP_START(number, first) "lp.starti x" #number ", " #first "f\n"
#define TMC_TEXT_LOOP_END(number, last) "lp.endi x" #number ", " #last "f\n"
#define TMC_TEXT_LOOP_COUNT(number, count) "lp.count x" #number ", " count "\n"
#define TMC_TEXT_CSR ""
#else
#define TMC_TEXT_R(mnemonic, opcode, funct3, funct7, d, a, b) \
    ".insn r " #opcode ", " #funct3 ", " #funct7 ", " d ", " a ", " b "\n"
#define TMC_TEXT_R1(mnemonic, opcode, funct3, funct7, d, a) \
    ".insn r " #opcode ", " #funct3 ", " #funct7 ", " d ", " a ", x0\n"
#define TMC_TEXT_RN(mnemonic, opcode, funct3, funct7, d, a, n) \
    ".insn r " #opcode ", " #funct3 ", " #funct7 ", " d ", " a ", x" #n "\n"
#define TMC_TEXT_LOAD_POST(mnemonic, funct3, d, base, n) \
    ".insn i 0x0b, " #funct3 ", " d ", " base ", " #n "\n"
#define TMC_TEXT_STORE_POST(mnemonic, funct3, value, base, n) \
    ".insn s 0x2b, " #funct3 ", " value ", " #n "(" base ")\n"
#define TMC_TEXT_LOAD_AT(mnemonic, funct7, d, base, offset) \
    ".insn r 0x03, 7, " #funct7 ", " d ", " base ", " offset "\n"
#define TMC_TEXT_LOAD_STEP(mnemonic, funct7, d, base, step) \
    ".insn r 0x0b, 7, " #funct7 ", " d ", " base ", " step "\n"
/* The step stands where a result would. */
#define TMC_TEXT_STORE_STEP(mnemonic, funct3, value, base, step) \
    ".insn r 0x2b, " #funct3 ", 0, " step ", " base ", " value "\n"
#define TMC_TEXT_LOOP(number, count, instructions, last) \
    ".insn i 0x7b, 4, x" #number ", " count ", 2*(" #instructions ")\n"
#define TMC_TEXT_LOOP_TO(number, count, count_number, last) \
    "6: .4byte 0x407b | " #number " << 7 | " #count_number " << 15 | ((" #last "f - 6b) / 2) << 20\n"
#define TMC_TEXT_LOOP_START(number, first) \
    "6: .4byte 0x007b | " #number " << 7 | ((" #first "f - 6b) / 2) << 20\n"
#define TMC_TEXT_LOOP_END(number, last) \
    "6: .4byte 0x107b | " #number " << 7 | ((" #last "f - 6b) / 2) << 20\n"
#define TMC_TEXT_LOOP_COUNT(number, count) ".insn i 0x7b, 2, x" #number ", " count ", 0\n"
#define TMC_TEXT_CSR ".option arch, +zicsr\n"
#endif

/* Hardware loop `number`, 0 inside 1: repeats what follows, `count` (a register) times, at least once.
 * TMC_TEXT_LOOP: that many instructions of 4 bytes, the last of which, and no other, has the label `last`.
 * TMC_TEXT_LOOP_TO: up to the label `last`, at the last instruction; count_number is the number of the register. Inside
 * `.option norelax` only. */
#define TMC_LOOP(number, count, instructions, last) TMC_TEXT_LOOP(number, count, instructions, last)
#define TMC_LOOP_TO(number, count, count_number, last) TMC_TEXT_LOOP_TO(number, count, count_number, last)
/* The same in parts: START and END stay as they are, COUNT comes before each round. As TMC_LOOP_TO otherwise. */
#define TMC_LOOP_START(number, first) TMC_TEXT_LOOP_START(number, first)
#define TMC_LOOP_END(number, last) TMC_TEXT_LOOP_END(number, last)
#define TMC_LOOP_COUNT(number, count) TMC_TEXT_LOOP_COUNT(number, count)

/* Loads and stores. _POST: at base, then base += n. _STEP: at base, then base += step. _AT: at base + offset. */
#define TMC_LB_POST(d, base, n) TMC_TEXT_LOAD_POST("p.lb", 0, d, base, n)
#define TMC_LH_POST(d, base, n) TMC_TEXT_LOAD_POST("p.lh", 1, d, base, n)
#define TMC_LW_POST(d, base, n) TMC_TEXT_LOAD_POST("p.lw", 2, d, base, n)
#define TMC_LBU_POST(d, base, n) TMC_TEXT_LOAD_POST("p.lbu", 4, d, base, n)
#define TMC_LHU_POST(d, base, n) TMC_TEXT_LOAD_POST("p.lhu", 5, d, base, n)
#define TMC_SB_POST(value, base, n) TMC_TEXT_STORE_POST("p.sb", 0, value, base, n)
#define TMC_SH_POST(value, base, n) TMC_TEXT_STORE_POST("p.sh", 1, value, base, n)
#define TMC_SW_POST(value, base, n) TMC_TEXT_STORE_POST("p.sw", 2, value, base, n)
#define TMC_LB_AT(d, base, offset) TMC_TEXT_LOAD_AT("p.lb", 0x00, d, base, offset)
#define TMC_LW_AT(d, base, offset) TMC_TEXT_LOAD_AT("p.lw", 0x10, d, base, offset)
#define TMC_LBU_AT(d, base, offset) TMC_TEXT_LOAD_AT("p.lbu", 0x20, d, base, offset)
#define TMC_LW_STEP(d, base, step) TMC_TEXT_LOAD_STEP("p.lw", 0x10, d, base, step)
#define TMC_SW_STEP(value, base, step) TMC_TEXT_STORE_STEP("p.sw", 6, value, base, step)

/* Dot products of 4 bytes or 2 halves; _S adds to d. The letters are the signs of a and b. */
#define TMC_DOT_S8S8(d, a, b) TMC_TEXT_R("pv.dotsp.b", 0x57, 1, 0x4c, d, a, b)
#define TMC_SDOT_S8S8(d, a, b) TMC_TEXT_R("pv.sdotsp.b", 0x57, 1, 0x5c, d, a, b)
#define TMC_DOT_U8S8(d, a, b) TMC_TEXT_R("pv.dotusp.b", 0x57, 1, 0x44, d, a, b)
#define TMC_SDOT_U8S8(d, a, b) TMC_TEXT_R("pv.sdotusp.b", 0x57, 1, 0x54, d, a, b)
#define TMC_SDOT_U8U8(d, a, b) TMC_TEXT_R("pv.sdotup.b", 0x57, 1, 0x50, d, a, b)
#define TMC_SDOT_S16S16(d, a, b) TMC_TEXT_R("pv.sdotsp.h", 0x57, 0, 0x5c, d, a, b)

/* d += a * b. */
#define TMC_MAC(d, a, b) TMC_TEXT_R("p.mac", 0x33, 0, 0x21, d, a, b)
/* d = (d + a) >> b, arithmetic, by the low 5 bits of b. */
#define TMC_ADD_SHIFT(d, a, b) TMC_TEXT_R("p.addNr", 0x5b, 2, 0x20, d, a, b)
/* d = a, saturated to n bits. */
#define TMC_CLIP_TO(d, a, limit) TMC_TEXT_R("p.clipr", 0x33, 5, 0x0a, d, a, limit)
#define TMC_CLIP(d, a, n) TMC_TEXT_RN("p.clip", 0x33, 1, 0x0a, d, a, n)

/* Low bytes of d: b, a. High bytes of d: b, a; the other two bytes stay. d = (low half of a, low half of b). */
#define TMC_PACK_LOW(d, a, b) TMC_TEXT_R("pv.packlo.b", 0x57, 1, 0x70, d, a, b)
#define TMC_PACK_HIGH(d, a, b) TMC_TEXT_R("pv.packhi.b", 0x57, 1, 0x6c, d, a, b)
#define TMC_PACK_HALVES(d, a, b) TMC_TEXT_R("pv.pack.h", 0x57, 0, 0x68, d, a, b)
/* Byte i of d: byte b[i] & 3 of a. */
#define TMC_SHUFFLE_BYTES(d, a, b) TMC_TEXT_R("pv.shuffle.b", 0x57, 1, 0x60, d, a, b)
/* The same of d and a: byte b[i] & 7 of both, those of d first. */
#define TMC_SHUFFLE_BOTH(d, a, b) TMC_TEXT_R("pv.shuffle2.b", 0x57, 1, 0x64, d, a, b)
/* Both halves of a, shifted right by the low 4 bits of b. */
#define TMC_SHIFT_HALVES(d, a, b) TMC_TEXT_R("pv.sra.sc.h", 0x57, 4, 0x24, d, a, b)

/* Rounded shifts: d = (d + a or d - a, plus half of 2^b) >> b, arithmetic. With a = "x0": d = R(d, b). */
#define TMC_ADD_ROUND_SHIFT(d, a, b) TMC_TEXT_R("p.addRNr", 0x5b, 6, 0x20, d, a, b)
#define TMC_SUB_ROUND_SHIFT(d, a, b) TMC_TEXT_R("p.subRNr", 0x5b, 7, 0x20, d, a, b)
/* Products of the low halves, of the high halves, signed. */
#define TMC_MUL_LOW(d, a, b) TMC_TEXT_R("p.muls", 0x5b, 0, 0x40, d, a, b)
#define TMC_MUL_HIGH(d, a, b) TMC_TEXT_R("p.mulhhs", 0x5b, 0, 0x60, d, a, b)
/* Dot products of 2 halves; _SCALAR: d = (a.low + a.high) * b.low, exactly. */
#define TMC_DOT_S16S16(d, a, b) TMC_TEXT_R("pv.dotsp.h", 0x57, 0, 0x4c, d, a, b)
#define TMC_DOT_SCALAR(d, a, b) TMC_TEXT_R("pv.dotsp.sc.h", 0x57, 4, 0x4c, d, a, b)
/* Each half of d: a + b, which wraps; the greater, the smaller of a and b. */
#define TMC_ADD_HALVES(d, a, b) TMC_TEXT_R("pv.add.h", 0x57, 0, 0x00, d, a, b)
#define TMC_MAX_HALVES(d, a, b) TMC_TEXT_R("pv.max.h", 0x57, 0, 0x18, d, a, b)
#define TMC_MIN_HALVES(d, a, b) TMC_TEXT_R("pv.min.h", 0x57, 0, 0x10, d, a, b)
/* Each byte of d, likewise. */
#define TMC_MAX_BYTES(d, a, b) TMC_TEXT_R("pv.max.b", 0x57, 1, 0x18, d, a, b)
#define TMC_MIN_BYTES(d, a, b) TMC_TEXT_R("pv.min.b", 0x57, 1, 0x10, d, a, b)
/* The greater of a and b, signed. */
#define TMC_MAX(d, a, b) TMC_TEXT_R("p.max", 0x33, 6, 0x02, d, a, b)
#define TMC_XOR(d, a, b) TMC_TEXT_R("pv.xor.b", 0x57, 1, 0x30, d, a, b)
/* a, rotated right by b. */
#define TMC_ROTATE(d, a, b) TMC_TEXT_R("p.ror", 0x33, 5, 0x04, d, a, b)
/* Bits of a, sign-extended, from bit b % 32 on: b / 32 of them, and one. */
#define TMC_EXTRACT(d, a, b) TMC_TEXT_R("p.extractr", 0x33, 0, 0x40, d, a, b)
/* The number of the highest bit that is set, of a above 0. */
#define TMC_TOP_BIT(d, a) TMC_TEXT_R1("p.fl1", 0x33, 1, 0x08, d, a)

#endif
