"""Programs that must be stopped, and what the message has to say: each has one fault."""

from __future__ import annotations

from dataclasses import dataclass

FC = r"hart 0x3e0 \(fabric controller\) at pc 0x1c01\w{4} <\w+\+0x\w+>: .*"
CORE = r"hart 0x0 \(cluster core 0\) at pc 0x1c01\w{4} <\w+\+0x\w+>: .*"
CORE_1 = CORE.replace("0x0", "0x1", 1).replace("core 0", "core 1")


@dataclass(frozen=True, slots=True)
class Case:
    """Statements of main (fabric) and of core_main for `cores` cores, and a pattern of the message."""

    name: str
    message: str
    fabric: str = "cluster_start(CORES); cluster_wait(CORES);"
    cluster: str = "(void)core;"
    cores: int = 1
    options: tuple[str, ...] = ()


def fabric(name: str, statements: str, message: str, *options: str) -> Case:
    """Return a case of the fabric controller alone."""
    return Case(name, FC + message, fabric=statements, options=options)


def core(name: str, statements: str, message: str, *options: str) -> Case:
    """Return a case of one cluster core."""
    return Case(name, CORE + message, cluster=statements, options=options)


def pair(name: str, statements: str, message: str) -> Case:
    """Return a case of two cluster cores with barrier 0 between them."""
    return Case(name, message, cluster="core_begin(2); barrier(); " + statements, cores=2)


def asm(text: str) -> str:
    """Return a C statement of one assembler line."""
    return f'__asm__ volatile("{text}");'


START = "uint32_t id = dma_start(tile, buffer, 64, {flags});"
IN, OUT = START.format(flags="DMA_TO_L1"), START.format(flags="0")
COMMAND = (
    "(void)REGISTER(DMA_COMMAND); REGISTER(DMA_COMMAND) = {0}; REGISTER(DMA_COMMAND) = {1}; "
    "REGISTER(DMA_COMMAND) = {2};"
)
GOOD = "64 | DMA_TO_L1 | DMA_INCREMENT"
WORDS = ("(uint32_t)tile", "(uint32_t)buffer")
READ = "hyper_start((uint32_t)buffer, 0, 64, 0);"

CASES: tuple[Case, ...] = (
    fabric(
        "load_nowhere",
        "sink = REGISTER(0x30000000);",
        r"load of 4 bytes at 0x30000000: no memory and no device",
    ),
    fabric("store_nowhere", "REGISTER(0) = 1;", r"store of 4 bytes at 0x00000000: no memory and no device"),
    fabric("past_l1", "sink = REGISTER(0x10020000);", r"load of 4 bytes at 0x10020000: no memory"),
    fabric(
        "misaligned_load",
        "load_word((uint32_t)buffer + 2);",
        r"misaligned load of 4 bytes at 0x\w+ <buffer\+0x2>",
    ),
    fabric("misaligned_store", "store_half((uint32_t)buffer + 1);", r"misaligned store of 2 bytes"),
    fabric("misaligned_nowhere", "load_word(0x30000001);", r"misaligned load", "--no-strict-align"),
    fabric(
        "store_to_code", "REGISTER((uint32_t)main & ~3u) = 0;", r"store of 4 bytes at .*: code or constant"
    ),
    fabric(
        "store_to_constant",
        "*(volatile uint32_t *)&constant = 0;",
        r"store of 4 bytes at .*: code or constant",
    ),
    Case(
        "jump_to_data",
        r"at pc 0x1c01\w{4} <buffer\+0x0>: execution outside of code",
        "((void (*)(void))buffer)();",
    ),
    Case(
        "jump_nowhere",
        r"at pc 0x00000000 <no symbol>: execution outside of code",
        "((void (*)(void))zero)();",
    ),
    fabric("unknown_word", asm(".word 0xffffffff"), r"unknown instruction 0xffffffff"),
    fabric("unknown_half", asm(".half 0"), r"unknown instruction 0x0000\n"),
    fabric("float", asm(".word 0x00000053"), r"unknown instruction 0x00000053"),
    fabric("ecall", asm("ecall"), "ecall, and there is no handler"),
    fabric("ebreak", asm("ebreak"), "ebreak"),
    fabric("csr_read", asm("csrr t0, 0x7c0"), "read of control and status register 0x7c0"),
    fabric("csr_write", asm("csrw 0xf14, t0"), "write of control and status register 0xf14"),
    fabric("loop_backwards", asm(".insn i 0x7b, 4, x0, t0, 0"), "hardware loop that ends before it starts"),
    fabric("elw_of_fabric", "event_load(EVENT_WAIT);", "p.elw at .* no wait register of this hart"),
    fabric("events_of_fabric", "REGISTER(EVENT_MASK) = 1;", "only cluster cores reach it"),
    fabric("byte_of_device", "*(volatile uint8_t *)CLUSTER_FETCH_ENABLE = 1;", "the device takes words only"),
    fabric("write_only", "sink = REGISTER(SOC_EXIT);", "the register can only be written"),
    fabric(
        "software_event_8",
        "REGISTER(CLUSTER_SOFTWARE_EVENT(0)) = 1 << 8;",
        "found software event 0 for cores",
    ),
    fabric("control_load", "sink = REGISTER(0x10200000);", "cluster control: read of register 0x0"),
    fabric("control_store", "REGISTER(0x10200004) = 0;", "cluster control: write of register 0x4"),
    Case(
        "limit",
        "instruction limit of 100000 reached\n.*fabric controller.*running",
        "for (;;) { sink = 1; }",
        options=("--limit", "100000"),
    ),
    # What the command line says of the machine.
    fabric(
        "past_smaller_l1", "sink = REGISTER(0x1000C000);", "load of 4 bytes at 0x1000c000", "--l1-kib", "48"
    ),
    fabric(
        "no_such_core",
        "REGISTER(CLUSTER_FETCH_ENABLE) = 0x10;",
        "cluster control: found cores 0x10 switched on, allowed 0xf",
        *("--cores", "4"),
    ),
    fabric("no_such_boot", "REGISTER(0x10200050) = 0;", "write of register 0x50", "--cores", "4"),
    fabric(
        "software_event_of_no_core",
        "REGISTER(CLUSTER_SOFTWARE_EVENT(0)) = 1 << 4;",
        "found software event 0 for cores 0x10, allowed 0 to 7 and 0xf",
        *("--cores", "4"),
    ),
    Case("all_asleep", "deadlock: every hart is asleep\n.*fabric controller.*: asleep", asm("wfi")),
    Case(
        "barrier_deadlock",
        "deadlock: the cluster sleeps at a barrier.*\n.*core 0.*asleep\n.*core 1.*asleep",
        cluster="core_begin(2); if (core == 0) { barrier(); } core_done();",
        cores=2,
    ),
    Case(
        "switched_off",
        FC + r"cluster core 0 is switched off while it runs, at pc .*<core_main\+0x\w+>",
        "cluster_start(1); for (volatile int i = 0; i < 999; i++) { } REGISTER(CLUSTER_FETCH_ENABLE) = 0;",
        "(void)core; for (;;) { sink = 1; }",
    ),
    Case(
        "switched_off_at_barrier",
        FC + r"cluster core 0 is switched off while it waits at a barrier",
        "cluster_start(1); for (volatile int i = 0; i < 999; i++) { } REGISTER(CLUSTER_FETCH_ENABLE) = 0;",
        "(void)core; core_begin(2); barrier();",
    ),
    Case(
        "switched_on_asleep",
        FC + "cluster core 0 is switched on, but was asleep in p.elw when switched off",
        "cluster_start(1); cluster_wait(1); for (volatile int i = 0; i < 999; i++) { }"
        "REGISTER(CLUSTER_FETCH_ENABLE) = 0; cluster_start(1);",
    ),
    core("elw_nowhere", "event_load((uint32_t)buffer);", "p.elw at .*<buffer.*no wait register of this hart"),
    core("elw_no_wait", "event_load(EVENT_MASK);", "p.elw at 0x00204000, which is no wait register"),
    core(
        "not_in_barrier",
        "REGISTER(BARRIER(0)) = 2; barrier();",
        "barrier 0: core 0 is not in its trigger mask 0x02",
    ),
    core("plain_wait", "sink = REGISTER(EVENT_WAIT);", "event unit: read of register 0x38"),
    core("event_unit_store", "REGISTER(0x00204030) = 1;", "event unit: write of register 0x30"),
    core("core_software_event", "REGISTER(0x00204100) = 1 << 9;", "found software event 0 for cores 0x200"),
    Case(
        "barrier_left_early",
        CORE + "barrier 0: core 0 is woken by events 0x00000100 before all have arrived",
        cluster="core_begin(2); if (core == 0) { REGISTER(EVENT_MASK_OR) = EVENT_BIT_DMA; "
        + IN
        + " sink = id; barrier(); } for (;;) { sink = 1; }",
        cores=2,
    ),
    core(
        "read_before_wait",
        IN + "sink = id + tile[3];",
        r"load of 4 bytes at .*<tile_\+0xc>: destination of a transfer",
    ),
    core("write_before_wait", IN + "tile[0] = id;", "store of 4 bytes at .*: destination of a transfer"),
    core("source_before_wait", OUT + "tile[0] = id;", "store of 4 bytes at .*: source of a transfer"),
    core(
        "wrong_id",
        IN + "uint32_t other = dma_start(tile + 32, buffer, 64, DMA_TO_L1); dma_wait(other);"
        "sink = id + tile[0];",
        "load of 4 bytes at .*: destination of a transfer",
    ),
    core(
        "freed_while_busy", IN + "REGISTER(DMA_STATUS) = 1u << id;", "transfer id 0 is freed while it is busy"
    ),
    core(
        "freed_twice",
        IN + "dma_wait(id); REGISTER(DMA_STATUS) = 1u << id;",
        "free of transfer ids 0x0001, of which",
    ),
    core(
        "fewer_ids",
        "for (;;) { sink = REGISTER(DMA_COMMAND); }",
        "all 2 transfer ids are in use",
        *("--dma-ids", "2"),
    ),
    core("shorter", IN, "found a transfer of 64 bytes, allowed 1 to 32", "--dma-bytes", "32"),
    core("ids_exhausted", "for (;;) { sink = REGISTER(DMA_COMMAND); }", "all 16 transfer ids are in use"),
    core(
        "no_id",
        COMMAND.format(GOOD, *WORDS).replace("(void)REGISTER(DMA_COMMAND);", ""),
        "without an allocated",
    ),
    core("unknown_bits", COMMAND.format(GOOD + " | 1 << 23", *WORDS), "has bits that are not modelled"),
    core("not_incremented", COMMAND.format("64 | DMA_TO_L1", *WORDS), "does not increment"),
    core(
        "no_bytes",
        COMMAND.format("DMA_INCREMENT", *WORDS),
        "found a transfer of 0 bytes, allowed 1 to 131071",
    ),
    core("not_l1", COMMAND.format(GOOD, WORDS[1], WORDS[1]), "on the L1 side, which is not inside L1"),
    core("beyond_l1", COMMAND.format(GOOD, "0x1001fff0", WORDS[1]), "on the L1 side, which is not inside L1"),
    core("not_l2", COMMAND.format(GOOD, WORDS[0], WORDS[0]), "on the external side, which is not in L2"),
    core(
        "beyond_l2",
        COMMAND.format(GOOD, WORDS[0], "0x1c18fff0"),
        "transfer of 64 bytes at .*: no memory there",
    ),
    core("no_line", "dma_start_2d(tile, buffer, 64, 0, 64, DMA_TO_L1);", "with lines of 0 bytes"),
    core("dma_load", "sink = REGISTER(0x00204408);", "DMA: read of register 0x8, which is not modelled"),
    core("dma_store", "REGISTER(0x0020440c) = 0;", "DMA: write of register 0xc, which is not modelled"),
    core("misaligned_device", "load_word(0x00204402);", "misaligned load of 4 bytes"),
    core(
        "jobs",
        "(void)REGISTER(DMA_COMMAND); for (uint32_t i = 0; i < 65; i++) { REGISTER(DMA_COMMAND) = "
        "4 | DMA_INCREMENT; REGISTER(DMA_COMMAND) = (uint32_t)(tile + i); REGISTER(DMA_COMMAND) = "
        "(uint32_t)(buffer + i); }",
        "more than 64 transfers were not waited for",
    ),
    core(
        "overlap",
        IN + "sink = id + dma_start(tile + 4, buffer, 64, DMA_TO_L1);",
        "transfer to .*part of a transfer",
    ),
    core(
        "chained",
        IN + "sink = id + dma_start(tile, buffer + 32, 64, 0);",
        "transfer from .*destination of a transf",
    ),
    core(
        "to_constant",
        "dma_start(tile, (void *)&constant, 4, 0);",
        "transfer to .*, which is code or constant data",
    ),
    pair(
        "race_load",
        "if (core == 1) { tile[0] = 1; } else { sink = tile[0]; } barrier();",
        CORE + "load of 4 bytes at .*: race: core 1 wrote it",
    ),
    pair(
        "race_store",
        "if (core == 1) { sink = tile[0]; } else { tile[0] = 1; } barrier();",
        CORE + "store of 4 bytes at .*: race: core 1 read it",
    ),
    pair("race_stores", "tile[0] = core;", CORE + "store of 4 bytes at .*: race: core 1 wrote it"),
    pair(
        "race_after_wait",
        "if (core == 0) { " + IN + "dma_wait(id); } "
        "else { for (volatile int i = 0; i < 999; i++) { } sink = tile[0]; }",
        CORE_1 + "load of 4 bytes at .*: race: core 0 wrote",
    ),
    pair(
        "race_in",
        "if (core == 1) { sink = tile[0]; } else { " + IN + "sink = id; }",
        CORE + "transfer to .*: race:",
    ),
    pair(
        "race_out",
        "if (core == 1) { tile[0] = 1; } else { " + OUT + "sink = id; }",
        CORE + "transfer from .*: race",
    ),
    fabric(
        "hyper_early", READ + "sink = buffer[0];", "load of 4 bytes at .*<buffer.*destination of a transfer"
    ),
    fabric(
        "hyper_source",
        "hyper_start((uint32_t)buffer, 0, 64, 1); buffer[0] = 1;",
        "store .*source of a transfer",
    ),
    fabric("hyper_clock", "REGISTER(HYPER(0)) = 0;", "HyperBus: access while its clock is off"),
    fabric(
        "udma_register", "REGISTER(UDMA) = -1; REGISTER(UDMA + 0x100) = 0;", "uDMA: access to register 0x100"
    ),
    fabric(
        "hyper_status", "REGISTER(UDMA) = -1; REGISTER(HYPER(0) + 0x24) = 0;", "write of the status register"
    ),
    fabric(
        "hyper_clear", "REGISTER(UDMA) = -1; REGISTER(HYPER(0) + 8) = 3 << 4;", "clearing a channel is not"
    ),
    fabric(
        "hyper_2d",
        "REGISTER(UDMA) = -1; REGISTER(HYPER(0) + 0x28) = 1; REGISTER(HYPER(0) + 8) = 1 << 4;",
        "two-dimensional transfers are not modelled",
    ),
    fabric(
        "hyper_direction",
        READ + "hyper_wait(); REGISTER(HYPER(0) + 0x14) = 1 << 4;",
        "found a write whose command",
    ),
    fabric(
        "hyper_to_flash",
        READ + "hyper_wait(); REGISTER(HYPER_COMMON + 0x20) = 1;hyper_start((uint32_t)buffer, 0, 64, 1);",
        "HyperBus: write to flash",
    ),
    fabric(
        "hyper_no_flash",
        READ + "hyper_wait(); REGISTER(HYPER_COMMON + 0x20) = 1;" + READ,
        "found 64 bytes at 0x00000000 of a memory of 0 bytes",
    ),
    fabric(
        "hyper_queue",
        "for (uint32_t i = 0; i < 9; i++) { hyper_start((uint32_t)(buffer + 2 * i), 0, 8, 0); }",
        "more than 8 transfers on one channel",
    ),
    fabric(
        "hyper_beyond",
        "hyper_start((uint32_t)buffer, 0x1fffff8, 64, 0);",
        "found 64 bytes at 0x01fffff8 of a mem",
    ),
    core(
        "stack_of_core_0",
        asm("addi sp, sp, -0x210") + asm("sw zero, 0(sp)"),
        "store of 4 bytes at 0x0ffff.*: no memory and no device there; the stack of core 0 has overflowed",
    ),
    pair(
        "stack_of_core_1",
        "if (core == 1) { " + asm("addi sp, sp, -0x200") + asm("sb zero, 0(sp)") + " }",
        CORE_1 + "store of 1 bytes at .*: in the stack of core 0; the stack of core 1 has overflowed",
    ),
    pair(
        "stack_by_a_wild_pointer",
        "if (core == 1) { tile[-2 * 0x80] = 1; }",
        CORE_1 + r"store of 4 bytes at .*: in the stack of core 6\n",
    ),
    fabric(
        "stack_by_the_fabric_controller",
        "tile[-1] = 1;",
        r"store of 4 bytes at .*: in the stack of core 7\n",
    ),
    pair(
        "jump_with_an_overflowed_stack",
        "if (core == 1) { " + asm("addi sp, sp, -0x200") + asm("jr zero") + " }",
        r"at pc .*execution outside of code; the stack of core 1 has overflowed",
    ),
    fabric("hyper_odd", "hyper_start((uint32_t)buffer, 1, 64, 0);", "allowed multiples of 2, 4 and 2"),
    fabric("hyper_l1", "hyper_start((uint32_t)tile, 0, 64, 0);", "on the internal side, which is not in L2"),
)

FRAME = """#include "platform.h"
#define CORES {case.cores}
volatile uint32_t sink, zero;
uint32_t buffer[256];
const uint32_t constant = 1;
L1 volatile uint32_t tile_[256];
#define tile ((uint32_t *)tile_)
static inline void load_word(uint32_t address) {{ __asm__ volatile("lw t0, 0(%0)" :: "r"(address) : "t0"); }}
static inline void store_half(uint32_t address) {{ __asm__ volatile("sh t0, 0(%0)" :: "r"(address)); }}
void core_main(uint32_t core) {{ {case.cluster} core_done(); }}
int main(void) {{ {case.fabric} return 0; }}
"""


def source(case: Case) -> str:
    """Return the program of a case."""
    return FRAME.format(case=case)
