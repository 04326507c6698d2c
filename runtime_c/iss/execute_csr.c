/* Control and status registers, and the instructions that would enter a handler. */
#include <stddef.h>

#include "execute.h"
#include "trap.h"

enum {
    CSR_MSTATUS = 0x300,
    CSR_MISA = 0x301,
    CSR_MTVEC = 0x305,
    CSR_MSCRATCH = 0x340,
    CSR_MEPC = 0x341,
    CSR_MCAUSE = 0x342,
    CSR_PCCR_FIRST = 0x780, /* Performance counters of PULP: 0 cycles, 1 instructions, others stay 0. */
    CSR_PCCR_INSTRUCTIONS = 0x781,
    CSR_PCCR_ALL = 0x79f, /* A write sets all of them. */
    CSR_MCYCLE = 0xb00,
    CSR_MINSTRET = 0xb02,
    CSR_PCER = 0xcc0, /* Which events count. */
    CSR_PCMR = 0xcc1, /* Whether they count at all. */
    CSR_MHARTID = 0xf14,
};

/* RV32IMC and non-standard extensions. */
#define MISA 0x40801104u

/* Return the place of a register that is stored and has no effect, or null. */
static uint32_t *scratch(Hart *hart, uint32_t number)
{
    switch (number) {
    case CSR_MSTATUS:
        return &hart->csr_scratch[0];
    case CSR_MTVEC:
        return &hart->csr_scratch[1];
    case CSR_MSCRATCH:
        return &hart->csr_scratch[2];
    case CSR_MEPC:
        return &hart->csr_scratch[3];
    case CSR_MCAUSE:
        return &hart->csr_scratch[4];
    default:
        return NULL;
    }
}

/* Every instruction counts as one cycle: this is no timing model. */
static uint32_t read_csr(Hart *hart, uint32_t number)
{
    uint32_t retired = (uint32_t)hart_retired(hart);
    switch (number) {
    case CSR_MISA:
        return MISA;
    case CSR_MHARTID:
        return hart->mhartid;
    case CSR_MCYCLE:
    case CSR_MINSTRET:
        return retired + hart->cycle_offset;
    case CSR_PCCR_FIRST:
    case CSR_PCCR_INSTRUCTIONS:
        return retired + hart->counter_offset;
    case CSR_PCER:
    case CSR_PCMR:
        return 0;
    default:
        break;
    }
    if (scratch(hart, number) != NULL) {
        return *scratch(hart, number);
    }
    if (number > CSR_PCCR_INSTRUCTIONS && number <= CSR_PCCR_ALL) {
        return 0;
    }
    trap(hart, "read of control and status register 0x%03x, which is not modelled", number);
}

static void write_csr(Hart *hart, uint32_t number, uint32_t value)
{
    uint32_t retired = (uint32_t)hart_retired(hart);
    if (scratch(hart, number) != NULL) {
        *scratch(hart, number) = value;
    } else if (number == CSR_MCYCLE || number == CSR_MINSTRET) {
        hart->cycle_offset = value - retired;
    } else if (number >= CSR_PCCR_FIRST && number <= CSR_PCCR_ALL) {
        hart->counter_offset = value - retired;
    } else if (number != CSR_PCER && number != CSR_PCMR) {
        trap(hart, "write of control and status register 0x%03x, which is not modelled", number);
    }
}

/* Write first what depends on the old value; a set or clear of no bits is a read only. */
#define CSR_READ_MODIFY_WRITE(function, operand, new_value, writes)      \
    EXECUTE(function)                                                    \
    {                                                                    \
        uint32_t number = UIMM, mask = operand;                          \
        uint32_t old = read_csr(hart, number);                           \
        if (writes) {                                                    \
            write_csr(hart, number, new_value);                          \
        }                                                                \
        RD = old;                                                        \
    }

CSR_READ_MODIFY_WRITE(csrrw, RS1, mask, 1)
CSR_READ_MODIFY_WRITE(csrrs, RS1, old | mask, insn->rs1 != 0)
CSR_READ_MODIFY_WRITE(csrrc, RS1, old & ~mask, insn->rs1 != 0)
CSR_READ_MODIFY_WRITE(csrrwi, insn->rs1, mask, 1)
CSR_READ_MODIFY_WRITE(csrrsi, insn->rs1, old | mask, insn->rs1 != 0)
CSR_READ_MODIFY_WRITE(csrrci, insn->rs1, old & ~mask, insn->rs1 != 0)

/* Interrupts and exceptions are not modelled. */
EXECUTE(ecall)
{
    (void)insn;
    trap(hart, "ecall, and there is no handler");
}

EXECUTE(ebreak)
{
    (void)insn;
    trap(hart, "ebreak");
}

/* Nothing can interrupt the sleep. */
EXECUTE(wfi)
{
    (void)insn;
    hart_sleep(hart);
}
