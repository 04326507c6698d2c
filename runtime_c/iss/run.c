#include "run.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "cluster.h"
#include "decode.h"
#include "device.h"
#include "memory.h"
#include "program.h"
#include "trap.h"

/* How long a cluster may sleep with a core at a barrier while the fabric controller runs. */
#define STALL_INSTRUCTIONS 100000000ull

static Insn *cache; /* One entry per halfword from code.begin. */
static uint32_t cache_entries;
static Span code;

/* What an entry of the cache executes until its place is reached for the first time. */
static void execute_first(Hart *hart, Insn *insn)
{
    uint16_t halves[2] = {0, 0};
    if (!program_is_code(hart->pc)) {
        trap(hart, "execution outside of code");
    }
    memcpy(&halves[0], memory_bytes(hart->pc, 2), 2);
    bool compressed = (halves[0] & 3) != 3;
    uint32_t word = halves[0];
    if (compressed) {
        word = expand_compressed(halves[0]);
    } else {
        const uint8_t *high = memory_bytes(hart->pc + 2, 2);
        if (high == NULL || !program_is_code(hart->pc + 2)) {
            trap(hart, "execution outside of code");
        }
        memcpy(&halves[1], high, 2);
        word |= (uint32_t)halves[1] << 16;
    }
    Insn decoded = decode(word);
    if (decoded.execute == NULL) {
        trap(hart, "unknown instruction 0x%0*x", compressed ? 4 : 8, compressed ? halves[0] : word);
    }
    decoded.length = compressed ? 2 : 4;
    *insn = decoded;
    hart->next_pc = hart->pc + decoded.length;
    insn->execute(hart, insn);
}

static void create_cache(void)
{
    code = program_code();
    if (code.begin >= code.end) {
        usage_error("the program has no code");
    }
    cache_entries = (code.end - code.begin + 1) / 2;
    cache = allocate(cache_entries, sizeof *cache);
    for (uint32_t i = 0; i < cache_entries; i++) {
        cache[i].execute = execute_first;
    }
}

/* At the end of a loop body, go back to its start or leave it; loop 0 is the inner one. */
static void end_of_body(Hart *hart)
{
    if (hart->state != HART_RUNNING) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        Loop *loop = &hart->loop[i];
        if (hart->pc != loop->armed_end) {
            continue;
        }
        if (--loop->count != 0) {
            hart->next_pc = loop->start;
            return;
        }
        loop->armed_end = LOOP_IDLE;
    }
}

static void take_turn(Hart *hart, int32_t turn)
{
    hart->turn = turn;
    hart->budget = turn;
    while (hart->budget > 0) {
        uint32_t entry = (hart->pc - code.begin) >> 1;
        if (entry >= cache_entries) {
            trap(hart, "execution outside of code");
        }
        Insn *insn = &cache[entry];
        hart->budget--;
        hart->next_pc = hart->pc + insn->length;
        insn->execute(hart, insn);
        hart->x[0] = 0;
        if (hart->pc == hart->loop[0].armed_end || hart->pc == hart->loop[1].armed_end) {
            end_of_body(hart);
        }
        hart->pc = hart->next_pc;
    }
    hart->retired += (uint64_t)hart->turn;
    hart->turn = 0;
}

static bool cluster_runs(void)
{
    for (unsigned i = 0; i < cluster_cores; i++) {
        if (harts[i].state == HART_RUNNING) {
            return true;
        }
    }
    return false;
}

static bool core_waits_at_barrier(void)
{
    for (unsigned i = 0; i < cluster_cores; i++) {
        if (harts[i].state == HART_ASLEEP && event_unit_barrier_of(i) >= 0) {
            return true;
        }
    }
    return false;
}

/* Give every hart a turn and return the instructions executed; the fabric controller mostly polls: it gets less. */
static uint64_t take_turns(int32_t turn)
{
    uint64_t executed = 0;
    for (unsigned i = 0; i < HARTS && !program_exited; i++) {
        Hart *hart = &harts[i];
        if (hart->state == HART_RUNNING) {
            uint64_t before = hart->retired;
            bool polls = i == FABRIC_CONTROLLER && cluster_runs();
            take_turn(hart, polls ? (turn + (int32_t)cluster_cores - 1) / (int32_t)cluster_cores : turn);
            executed += hart->retired - before;
        }
    }
    return executed;
}

void run(Limits limits)
{
    uint64_t total = 0, stalled = 0;
    create_cache();
    while (!program_exited) {
        uint64_t executed = take_turns(limits.turn);
        total += executed;
        stalled = cluster_runs() ? 0 : stalled + executed;
        if (program_exited) {
            return;
        }
        if (!cluster_runs() && harts[FABRIC_CONTROLLER].state != HART_RUNNING) {
            trap_all("deadlock: every hart is asleep");
        }
        if (stalled > STALL_INSTRUCTIONS && core_waits_at_barrier()) {
            trap_all("deadlock: the cluster sleeps at a barrier that is not complete");
        }
        if (total > limits.instructions) {
            trap_all("instruction limit of %llu reached", (unsigned long long)limits.instructions);
        }
    }
}
