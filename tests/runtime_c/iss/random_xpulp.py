"""Random XpulpV2 programs: every instruction on random operands, and mixtures of them.

The first kind prints one hash per mnemonic, so that a difference names the instruction. Hardware loops and
p.elw are left out: they are not arithmetic, and have tests of their own.
"""

from __future__ import annotations

import random

from tests.runtime_c.iss.instruction_table import IMMEDIATES, RV32, SIMD, XPULP, Row, encode
from tests.runtime_c.iss.random_rv32 import value

LOADS_AND_STORES = tuple(
    row for row in XPULP if row.mnemonic[:4] in {"p.lb", "p.lh", "p.lw", "p.sb", "p.sh", "p.sw"}
)
BRANCHES = tuple(row for row in XPULP if row.operands == "BRANCH_IMM")
ARITHMETIC = (
    *(
        row
        for row in XPULP
        if row not in LOADS_AND_STORES
        and row not in BRANCHES
        and row.operands != "LOOP"
        and row.mnemonic != "p.elw"
    ),
    *SIMD,
)
TESTED = (*LOADS_AND_STORES, *BRANCHES, *ARITHMETIC)
BASE = tuple(row for row in RV32 if row.operands == "RR")

# Registers with a task; the operands are drawn from the rest.
VECTOR, VECTOR_END, HASH, SCRATCH, MULTIPLIER = 8, 9, 18, 19, 20
OPERANDS = (*range(10, 18), *range(21, 32))
SCRATCH_BYTES = 1024


def immediate(rng: random.Random, row: Row) -> int:
    """Draw an immediate that the format allows, 0 if it has none."""
    allowed = IMMEDIATES.get(row.operands, range(1))
    return rng.choice((allowed[0], allowed[-1])) if rng.random() < 0.2 else rng.choice(allowed)


def access_bytes(row: Row) -> int:
    """Return how many bytes a load or store moves."""
    return {"b": 1, "h": 2, "w": 4}[row.mnemonic[3]]


def mix(register: int) -> list[str]:
    """Add a register to the hash."""
    return [
        f"xor x{HASH}, x{HASH}, x{register}",
        f"mul x{HASH}, x{HASH}, x{MULTIPLIER}",
        f"srli x5, x{HASH}, 13",
        f"xor x{HASH}, x{HASH}, x5",
    ]


def instance(rng: random.Random, row: Row, label: str) -> list[str]:
    """Return one instruction with fixed operands and immediate, in a loop over the operand vectors."""
    rd, rs1, rs2 = (rng.choice(OPERANDS) for _ in range(3))
    if row in LOADS_AND_STORES:
        # Base, offset and data are three registers; the base must not be the destination of a load as well.
        rd, rs1, rs2 = rng.sample(OPERANDS, 3)
    elif rng.random() < 0.05:
        rd, rs1 = rng.choice(((0, rs1), (rd, 0)))
    lines = [
        f"li x{HASH}, {rng.getrandbits(32):#x}",
        f"la x{VECTOR}, vectors",
        f"la x{VECTOR_END}, vectors_end",
        f"{label}:",
        f"lw x{rd}, 0(x{VECTOR})",
        f"lw x{rs1}, 4(x{VECTOR})",
        f"lw x{rs2}, 8(x{VECTOR})",
    ]
    imm = immediate(rng, row)
    if row in LOADS_AND_STORES:
        size = access_bytes(row)
        offset = rs2 if row.operands == "RR" else rd
        lines += [f"andi x{rs1}, x{rs1}, {256 - size}", f"add x{rs1}, x{rs1}, x{SCRATCH}"]
        if row.operands in {"RR", "STORE_RR"}:
            lines += [f"andi x{offset}, x{offset}, {256 - size}"]
    word = encode(row, rd=rd, rs1=rs1, rs2=rs2, imm=imm, offset=8)
    lines += [f".word {word:#010x}  # {row.mnemonic} rd=x{rd} rs1=x{rs1} rs2=x{rs2} imm={imm}"]
    if row in BRANCHES:
        lines += [".option push", ".option norvc", f"addi x{HASH}, x{HASH}, 1", ".option pop"]
    lines += [*mix(rd), *mix(rs1), *mix(rs2)]
    return [*lines, f"addi x{VECTOR}, x{VECTOR}, 12", f"bne x{VECTOR}, x{VECTOR_END}, {label}"]


def scratch_hash(label: str) -> list[str]:
    """Add the scratch area to the hash."""
    return [
        f"mv x6, x{SCRATCH}",
        f"addi x7, x{SCRATCH}, {SCRATCH_BYTES // 2}",
        f"{label}:",
        "lw x28, 0(x6)",
        *mix(28),
        "addi x6, x6, 4",
        f"bltu x6, x7, {label}",
    ]


FRAME_BYTES = 128
SAVED = (1, *range(3, 5), 8, 9, *range(18, 28))


def function(name: str, body: list[str]) -> list[str]:
    """Wrap lines into a function that saves registers and returns the hash."""
    save = [f"sw x{r}, {4 * i}(sp)" for i, r in enumerate(SAVED)]
    load = [f"lw x{r}, {4 * i}(sp)" for i, r in enumerate(SAVED)]
    return [
        f"{name}:",
        f"addi sp, sp, -{FRAME_BYTES}",
        *save,
        f"la x{SCRATCH}, scratch",
        f"li x{MULTIPLIER}, 0x01000193",
        *body,
        f"mv a0, x{HASH}",
        *load,
        f"addi sp, sp, {FRAME_BYTES}",
        "ret",
    ]


def source(functions: list[tuple[str, list[str]]], vectors: list[int]) -> str:
    """Return a source file whose main calls the functions and prints a line for each."""
    lines = [
        ".option norelax",
        ".text",
        ".globl main",
        "main:",
        "addi sp, sp, -16",
        "sw ra, 0(sp)",
        "la t0, scratch",
        f"addi t1, t0, {SCRATCH_BYTES // 2}",
        "li t2, 0x1234567",
        "fill:",
        "sw t2, 0(t0)",
        "mul t2, t2, t2",
        "addi t2, t2, 77",
        "addi t0, t0, 4",
        "bltu t0, t1, fill",
    ]
    for i, _ in enumerate(functions):
        lines += [f"call function_{i}", "mv a1, a0", f"la a0, text_{i}", "call report"]
    lines += ["li a0, 0", "lw ra, 0(sp)", "addi sp, sp, 16", "ret"]
    for i, (_, body) in enumerate(functions):
        lines += function(f"function_{i}", body)
    lines += [".section .rodata", *(f'text_{i}: .string "{name}"' for i, (name, _) in enumerate(functions))]
    lines += [".balign 4", "vectors:", *(f".word {v:#x}" for v in vectors), "vectors_end:"]
    lines += ['.section .l1, "aw"', ".balign 4", f"scratch: .fill {SCRATCH_BYTES // 4}, 4, 0"]
    return "\n".join(lines) + "\n"


def every_instruction(seed: int, instances: int, vectors: int) -> str:
    """Return a program that runs each mnemonic `instances` times on `vectors` random operand triples each."""
    rng = random.Random(seed)
    functions = []
    for row in TESTED:
        label = row.mnemonic.replace(".", "_")
        body = [line for k in range(instances) for line in instance(rng, row, f"{label}_{k}")]
        if row in LOADS_AND_STORES:
            body += scratch_hash(f"{label}_scratch")
        functions.append((row.mnemonic, body))
    return source(functions, [value(rng) for _ in range(3 * vectors)])


def mixed_line(rng: random.Random) -> list[str]:
    """Draw one instruction of a mixture."""
    kind = rng.random()
    rd, rs1, rs2 = (rng.choice(OPERANDS) for _ in range(3))
    if kind < 0.25:
        row = rng.choice(LOADS_AND_STORES)
        rd, rs1, rs2 = rng.sample(OPERANDS, 3)
        size = access_bytes(row)
        lines = [f"andi x{rs1}, x{rs1}, {256 - size}", f"add x{rs1}, x{rs1}, x{SCRATCH}"]
        offset = rs2 if row.operands == "RR" else rd
        if row.operands in {"RR", "STORE_RR"}:
            lines += [f"andi x{offset}, x{offset}, {256 - size}"]
    elif kind < 0.35:
        row, lines = rng.choice(BRANCHES), []
    elif kind < 0.5:
        row, lines = rng.choice(BASE), []
    else:
        row, lines = rng.choice(ARITHMETIC), []
    word = encode(row, rd=rd, rs1=rs1, rs2=rs2, imm=immediate(rng, row), offset=8)
    lines += [f".word {word:#010x}  # {row.mnemonic}"]
    if row in BRANCHES:
        lines += [".option push", ".option norvc", f"addi x{rng.choice(OPERANDS)}, x{rs1}, 7", ".option pop"]
    return lines


def mixture(seed: int, programs: int, length: int) -> str:
    """Return straight-line programs of random XpulpV2 and base instructions on common registers."""
    rng = random.Random(seed)
    functions = []
    for i in range(programs):
        body = [f"li x{register}, {value(rng):#x}" for register in OPERANDS]
        for _ in range(length):
            body += mixed_line(rng)
        body += [f"li x{HASH}, 0", *(line for register in OPERANDS for line in mix(register))]
        functions.append((f"mixture_{i}", [*body, *scratch_hash(f"mixture_scratch_{i}")]))
    return source(functions, [0])
