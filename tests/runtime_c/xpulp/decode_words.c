/* Prints what the simulator's decoder finds in each word of standard input: mnemonic, rd, rs1, rs2, imm. */
#include <stdio.h>

#include "decode.h"
#include "execute.h"

static const struct {
    Execute *execute;
    const char *mnemonic;
} NAMES[] = {
#define INSTRUCTION(function, mnemonic, match, mask, operands) {execute_##function, mnemonic},
#include "encodings_rv32.h"
#include "encodings_xpulp.h"
#include "encodings_simd.h"
#undef INSTRUCTION
};

int main(void)
{
    unsigned word;
    while (scanf("%x", &word) == 1) {
        const Insn insn = decode(word);
        const char *mnemonic = "unknown";
        for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; ++i) {
            if (insn.execute == NAMES[i].execute) {
                mnemonic = NAMES[i].mnemonic;
                break;
            }
        }
        printf("%s %u %u %u %d\n", mnemonic, insn.rd, insn.rs1, insn.rs2, (int)insn.imm);
    }
    return 0;
}
