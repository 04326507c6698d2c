/* Hardware loops: registers start, end and count of two nested loops, loop 0 the inner one. */
#include "execute.h"
#include "trap.h"

static void arm(Loop *loop) { loop->armed_end = loop->count != 0 ? loop->end : LOOP_IDLE; }

static Loop *loop_of(Hart *hart, const Insn *insn) { return &hart->loop[insn->rd & 1]; }

/* Set all three; the body begins after this instruction, end_offset counts halfwords from it. */
static void set_up(Hart *hart, const Insn *insn, uint32_t count, uint32_t end_offset)
{
    Loop *loop = loop_of(hart, insn);
    if (2 * end_offset < insn->length) {
        trap(hart, "hardware loop that ends before it starts: end offset %u", 2 * end_offset);
    }
    loop->start = hart->pc + insn->length;
    loop->end = hart->pc + 2 * end_offset;
    loop->count = count;
    arm(loop);
}

EXECUTE(lp_setup) { set_up(hart, insn, RS1, UIMM); }
EXECUTE(lp_setupi) { set_up(hart, insn, UIMM, insn->rs1); }

EXECUTE(lp_starti) { loop_of(hart, insn)->start = hart->pc + 2 * UIMM; }

EXECUTE(lp_endi)
{
    Loop *loop = loop_of(hart, insn);
    loop->end = hart->pc + 2 * UIMM;
    arm(loop);
}

EXECUTE(lp_count)
{
    Loop *loop = loop_of(hart, insn);
    loop->count = RS1;
    arm(loop);
}

EXECUTE(lp_counti)
{
    Loop *loop = loop_of(hart, insn);
    loop->count = UIMM;
    arm(loop);
}
