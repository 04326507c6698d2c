/*
 * RV32IM, Zicsr and Zifencei: INSTRUCTION(function, "mnemonic", match, mask, operands).
 *
 * A word is the instruction if (word & mask) == match. The operand formats are those of decode.h.
 * Included wherever the rows are needed, hence no guard.
 */

/* Upper immediates, jumps and branches. */
INSTRUCTION(lui, "lui", 0x00000037, 0x0000007f, U)
INSTRUCTION(auipc, "auipc", 0x00000017, 0x0000007f, U)
INSTRUCTION(jal, "jal", 0x0000006f, 0x0000007f, JUMP)
INSTRUCTION(jalr, "jalr", 0x00000067, 0x0000707f, I)
INSTRUCTION(beq, "beq", 0x00000063, 0x0000707f, BRANCH)
INSTRUCTION(bne, "bne", 0x00001063, 0x0000707f, BRANCH)
INSTRUCTION(blt, "blt", 0x00004063, 0x0000707f, BRANCH)
INSTRUCTION(bge, "bge", 0x00005063, 0x0000707f, BRANCH)
INSTRUCTION(bltu, "bltu", 0x00006063, 0x0000707f, BRANCH)
INSTRUCTION(bgeu, "bgeu", 0x00007063, 0x0000707f, BRANCH)

/* Loads and stores. */
INSTRUCTION(lb, "lb", 0x00000003, 0x0000707f, I)
INSTRUCTION(lh, "lh", 0x00001003, 0x0000707f, I)
INSTRUCTION(lw, "lw", 0x00002003, 0x0000707f, I)
INSTRUCTION(lbu, "lbu", 0x00004003, 0x0000707f, I)
INSTRUCTION(lhu, "lhu", 0x00005003, 0x0000707f, I)
INSTRUCTION(sb, "sb", 0x00000023, 0x0000707f, S)
INSTRUCTION(sh, "sh", 0x00001023, 0x0000707f, S)
INSTRUCTION(sw, "sw", 0x00002023, 0x0000707f, S)

/* Arithmetic and logic. */
INSTRUCTION(addi, "addi", 0x00000013, 0x0000707f, I)
INSTRUCTION(slti, "slti", 0x00002013, 0x0000707f, I)
INSTRUCTION(sltiu, "sltiu", 0x00003013, 0x0000707f, I)
INSTRUCTION(xori, "xori", 0x00004013, 0x0000707f, I)
INSTRUCTION(ori, "ori", 0x00006013, 0x0000707f, I)
INSTRUCTION(andi, "andi", 0x00007013, 0x0000707f, I)
INSTRUCTION(slli, "slli", 0x00001013, 0xfe00707f, UIMM5)
INSTRUCTION(srli, "srli", 0x00005013, 0xfe00707f, UIMM5)
INSTRUCTION(srai, "srai", 0x40005013, 0xfe00707f, UIMM5)
INSTRUCTION(add, "add", 0x00000033, 0xfe00707f, RR)
INSTRUCTION(sub, "sub", 0x40000033, 0xfe00707f, RR)
INSTRUCTION(sll, "sll", 0x00001033, 0xfe00707f, RR)
INSTRUCTION(slt, "slt", 0x00002033, 0xfe00707f, RR)
INSTRUCTION(sltu, "sltu", 0x00003033, 0xfe00707f, RR)
INSTRUCTION(xor, "xor", 0x00004033, 0xfe00707f, RR)
INSTRUCTION(srl, "srl", 0x00005033, 0xfe00707f, RR)
INSTRUCTION(sra, "sra", 0x40005033, 0xfe00707f, RR)
INSTRUCTION(or, "or", 0x00006033, 0xfe00707f, RR)
INSTRUCTION(and, "and", 0x00007033, 0xfe00707f, RR)

/* Multiplication and division. */
INSTRUCTION(mul, "mul", 0x02000033, 0xfe00707f, RR)
INSTRUCTION(mulh, "mulh", 0x02001033, 0xfe00707f, RR)
INSTRUCTION(mulhsu, "mulhsu", 0x02002033, 0xfe00707f, RR)
INSTRUCTION(mulhu, "mulhu", 0x02003033, 0xfe00707f, RR)
INSTRUCTION(div, "div", 0x02004033, 0xfe00707f, RR)
INSTRUCTION(divu, "divu", 0x02005033, 0xfe00707f, RR)
INSTRUCTION(rem, "rem", 0x02006033, 0xfe00707f, RR)
INSTRUCTION(remu, "remu", 0x02007033, 0xfe00707f, RR)

/* Control and status registers, system. */
INSTRUCTION(csrrw, "csrrw", 0x00001073, 0x0000707f, CSR)
INSTRUCTION(csrrs, "csrrs", 0x00002073, 0x0000707f, CSR)
INSTRUCTION(csrrc, "csrrc", 0x00003073, 0x0000707f, CSR)
INSTRUCTION(csrrwi, "csrrwi", 0x00005073, 0x0000707f, CSR)
INSTRUCTION(csrrsi, "csrrsi", 0x00006073, 0x0000707f, CSR)
INSTRUCTION(csrrci, "csrrci", 0x00007073, 0x0000707f, CSR)
INSTRUCTION(fence, "fence", 0x0000000f, 0x0000707f, NONE)
INSTRUCTION(fence_i, "fence.i", 0x0000100f, 0x0000707f, NONE)
INSTRUCTION(ecall, "ecall", 0x00000073, 0xffffffff, NONE)
INSTRUCTION(ebreak, "ebreak", 0x00100073, 0xffffffff, NONE)
INSTRUCTION(wfi, "wfi", 0x10500073, 0xffffffff, NONE)
