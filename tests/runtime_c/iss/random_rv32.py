"""Random RV32IMC programs: straight lines, skipped blocks, loops, jumps, loads and stores in a scratch area.

A program prints one hash of all its registers and of the scratch area. Nothing in it depends on where code
and data lie: addresses are subtracted from each other before they can reach the hash.
"""

from __future__ import annotations

import random

# Some registers have a task. x8 and sp point into the scratch area, so that compressed loads and stores of
# both kinds appear; x9 counts loops, so that compressed branches appear; ra is the link register.
SCRATCH_BYTES = 256
POINTER, STACK, COUNTER, LINK = "x8", "sp", "x9", "ra"
FREE = tuple(f"x{i}" for i in (*range(3, 8), *range(10, 32)))
SHORT = tuple(f"x{i}" for i in range(10, 16))

REGISTER_OPS = ("add sub sll slt sltu xor srl sra or and mul mulh mulhsu mulhu div divu rem remu").split()
IMMEDIATE_OPS = "addi slti sltiu xori ori andi".split()
SHIFTS = "slli srli srai".split()
BRANCHES = "beq bne blt bge bltu bgeu".split()
LOADS = {"lb": 1, "lbu": 1, "lh": 2, "lhu": 2, "lw": 4}
STORES = {"sb": 1, "sh": 2, "sw": 4}
CORNERS = (
    0,
    1,
    2,
    31,
    32,
    0x7F,
    0x80,
    0xFFFF,
    0x7FFF,
    0x8000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0xFFFFFF80,
)


def value(rng: random.Random) -> int:
    """Draw a 32-bit value, often one at a boundary."""
    return rng.choice(CORNERS) if rng.random() < 0.4 else rng.getrandbits(32)


class Program:
    """The text of one program, grown block by block."""

    def __init__(self, rng: random.Random, name: str) -> None:
        self.rng = rng
        self.name = name
        self.lines: list[str] = []
        self.labels = 0

    def label(self) -> str:
        """Return a new label."""
        self.labels += 1
        return f"{self.name}_{self.labels}"

    def register(self, write: bool = False) -> str:
        """Draw a register, one that compressed instructions reach in half of the cases, seldom x0."""
        pool = SHORT if self.rng.random() < 0.5 else FREE
        if self.rng.random() < 0.04:
            return "x0"
        return self.rng.choice(pool) if write or self.rng.random() < 0.95 else COUNTER

    def simple(self) -> str:
        """Draw an instruction without control flow."""
        rng, rd = self.rng, self.register(write=True)
        # A destination that is also the first operand is what most compressed forms need.
        rs1 = rd if rng.random() < 0.5 else self.register()
        kind = rng.random()
        if kind < 0.35:
            return f"{rng.choice(REGISTER_OPS)} {rd}, {rs1}, {self.register()}"
        if kind < 0.5:
            limit = 32 if rng.random() < 0.5 else 2048
            return f"{rng.choice(IMMEDIATE_OPS)} {rd}, {rs1}, {rng.randrange(-limit, limit)}"
        if kind < 0.6:
            return f"{rng.choice(SHIFTS)} {rd}, {rs1}, {rng.randrange(32)}"
        if kind < 0.66:
            return f"lui {rd}, {rng.choice((rng.getrandbits(20), rng.randrange(1, 32)))}"
        if kind < 0.72:
            return rng.choice((f"mv {rd}, {rs1}", f"li {rd}, {rng.randrange(-32, 32)}", "nop"))
        if kind < 0.86:
            return self.memory(rng.choice(tuple(LOADS.items())), rd)
        return self.memory(rng.choice(tuple(STORES.items())), self.register())

    def memory(self, operation: tuple[str, int], register: str) -> str:
        """Load or store in the scratch area; x8 points to its middle, sp to its start."""
        mnemonic, size = operation
        if self.rng.random() < 0.3:
            return f"{mnemonic} {register}, {self.rng.randrange(0, SCRATCH_BYTES, size)}({STACK})"
        low = 0 if self.rng.random() < 0.6 else -SCRATCH_BYTES // 2
        return f"{mnemonic} {register}, {self.rng.randrange(low, SCRATCH_BYTES // 2, size)}({POINTER})"

    def straight(self, longest: int) -> None:
        """Append a few instructions without control flow."""
        self.lines += [self.simple() for _ in range(self.rng.randint(1, longest))]

    def skip(self) -> None:
        """Append a branch over a block."""
        end = self.label()
        if self.rng.random() < 0.4:
            branch = f"{self.rng.choice(('beqz', 'bnez'))} {self.rng.choice(SHORT)}, {end}"
        else:
            branch = f"{self.rng.choice(BRANCHES)} {self.register()}, {self.register()}, {end}"
        self.lines.append(branch)
        self.straight(5)
        self.lines.append(f"{end}:")

    def loop(self) -> None:
        """Append a counted loop."""
        start = self.label()
        self.lines += [f"li {COUNTER}, {self.rng.randint(1, 20)}", f"{start}:"]
        self.straight(8)
        if self.rng.random() < 0.5:
            self.skip()
        self.lines += [f"addi {COUNTER}, {COUNTER}, -1", f"bnez {COUNTER}, {start}"]

    def jump(self) -> None:
        """Append a jump over a block, direct or by register, and hash the link as a distance."""
        here, target, rd = self.label(), self.label(), self.rng.choice(FREE)
        if self.rng.random() < 0.5:
            call = [f"{self.rng.choice(('j', 'jal'))} {target}"]
        else:
            call = [f"la {rd}, {target}", f"{self.rng.choice(('jr', 'jalr'))} {rd}"]
        self.lines += [f"la {LINK}, {here}", *call, f"{here}:"]
        self.straight(4)
        self.lines += [f"{target}:", f"la {rd}, {here}", f"sub {LINK}, {LINK}, {rd}", f"mv {rd}, {LINK}"]

    def place(self) -> None:
        """Append an auipc, hashed as a distance from a label."""
        here = self.label()
        first, second = self.rng.sample(FREE, 2)
        self.lines += [f"{here}: auipc {first}, {self.rng.getrandbits(20)}", f"la {second}, {here}"]
        self.lines += [f"sub {first}, {first}, {second}", f"li {second}, 1"]

    def stack(self) -> None:
        """Append arithmetic on the stack pointer that ends where it began, in compressed forms."""
        amount = self.rng.randrange(16, 496, 16)
        self.lines += [f"addi {STACK}, {STACK}, -{amount}", f"addi {STACK}, {STACK}, {amount}"]
        offset, register = self.rng.randrange(4, SCRATCH_BYTES, 4), self.rng.choice(SHORT)
        self.lines += [f"addi {register}, {STACK}, {offset}", f"sub {register}, {register}, {STACK}"]

    def text(self, blocks: int) -> str:
        """Return the whole program as an assembler function."""
        kinds = (self.skip, self.loop, self.jump, self.place, self.stack)
        for _ in range(blocks):
            self.straight(10)
            self.rng.choices(kinds, (4, 3, 2, 1, 1))[0]()
        loads = [f"li {register}, {value(self.rng):#x}" for register in FREE]
        return "\n".join(
            [
                f"{self.name}:",
                "j save_registers_" + self.name,
                f"{self.name}_body:",
                *loads,
                *self.lines,
                "j finish_program",
                f"save_registers_{self.name}:",
                f"la t0, {self.name}_body",
                "j begin_program",
                "",
            ]
        )


# Saves what the caller owns, sets the pointers, and afterwards stores the registers and hashes everything.
# Two pointers and the link hold addresses: the hash has their distance from where they began.
FRAME = (
    f"""
    .option norelax
    .text
begin_program:
    la t1, saved
    sw ra, 0(t1)
    sw sp, 4(t1)
    sw gp, 8(t1)
    sw tp, 12(t1)
    sw s0, 16(t1)
    sw s1, 20(t1)
    sw s2, 24(t1)
    sw s3, 28(t1)
    sw s4, 32(t1)
    sw s5, 36(t1)
    sw s6, 40(t1)
    sw s7, 44(t1)
    sw s8, 48(t1)
    sw s9, 52(t1)
    sw s10, 56(t1)
    sw s11, 60(t1)
    la sp, scratch
    la t1, hashed_end
    mv t2, sp
    li t3, 0x5a3c9617
fill_word:
    sw t3, 0(t2)
    add t3, t3, t2
    sub t3, t3, sp
    addi t2, t2, 4
    bltu t2, t1, fill_word
    addi x8, sp, {SCRATCH_BYTES // 2}
    li x9, 0
    li ra, 0
    jr t0
finish_program:
    sub x8, x8, sp
    la ra, registers
    sw x3, 0(ra)
"""
    + "\n".join(f"    sw x{i}, {4 * (i - 3)}(ra)" for i in range(4, 32))
    + f"""
    la t0, scratch
    sub sp, sp, t0
    sw sp, 116(ra)
    li a0, 0x811c9dc5
    li t3, 0x01000193
    la t1, hashed_end
hash_word:
    lw t2, 0(t0)
    xor a0, a0, t2
    mul a0, a0, t3
    srli t2, a0, 15
    xor a0, a0, t2
    addi t0, t0, 4
    bltu t0, t1, hash_word
    la t1, saved
    lw ra, 0(t1)
    lw sp, 4(t1)
    lw gp, 8(t1)
    lw tp, 12(t1)
    lw s0, 16(t1)
    lw s1, 20(t1)
    lw s2, 24(t1)
    lw s3, 28(t1)
    lw s4, 32(t1)
    lw s5, 36(t1)
    lw s6, 40(t1)
    lw s7, 44(t1)
    lw s8, 48(t1)
    lw s9, 52(t1)
    lw s10, 56(t1)
    lw s11, 60(t1)
    ret
    .section .l1, "aw"
    .balign 4
scratch: .fill {SCRATCH_BYTES // 4}, 4, 0
registers: .fill 32, 4, 0
hashed_end:
saved: .fill 16, 4, 0
    .text
"""
)


def assembly(seed: int, programs: int, blocks: int = 8) -> str:
    """Return a source file whose main runs that many programs and prints a line for each."""
    rng = random.Random(seed)
    names = [f"program_{i}" for i in range(programs)]
    bodies = [Program(rng, name).text(blocks) for name in names]
    calls = []
    for name in names:
        calls += [f"call {name}", "mv a1, a0", f"la a0, text_{name}", "call report"]
    main = "\n".join(
        [
            "    .globl main",
            "main:",
            "addi sp, sp, -16",
            "sw ra, 0(sp)",
            *calls,
            "li a0, 0",
            "lw ra, 0(sp)",
            "addi sp, sp, 16",
            "tail finish",
            "",
        ]
    )
    texts = "\n".join(f'text_{name}: .string "{name}"' for name in names)
    return FRAME + main + "\n".join(bodies) + "\n    .section .rodata\n" + texts + "\n"
