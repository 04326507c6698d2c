"""An assembler of the SDK's mnemonics: each becomes the word that the stock assembler takes.

The words come from the simulator's encoding tables; how the SDK spells each row is the table below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.runtime_c.iss.instruction_table import SIMD, XPULP, encode

ROWS = {row.mnemonic: row for row in (*XPULP, *SIMD)}
# A bang after the base writes the sum back; names of the rows for a number and for a register as the offset.
ACCESSES = {
    (mnemonic, bang, register): f"{mnemonic}{'.rr' if register else ''}{'.post' if bang else ''}"
    for mnemonic in ("p.lb", "p.lh", "p.lw", "p.lbu", "p.lhu", "p.sb", "p.sh", "p.sw")
    for bang in (False, True)
    for register in (False, True)
    if bang or register
}
# Where the SDK's name is another: shifts by a register have an r, numbers no i.
RENAMED = {
    "p.addNr": "p.addN",
    "p.addRNr": "p.addRN",
    "p.subNr": "p.subN",
    "p.subRNr": "p.subRN",
    "p.clip": "p.clipi",
    "p.clipr": "p.clip",
    "p.extractr": "p.extract",
}
ABI_NAMES = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", *(f"a{i}" for i in range(8)),
    *(f"s{i}" for i in range(2, 12)), "t3", "t4", "t5", "t6",
)  # fmt: skip
REGISTERS = {name: i for i, name in enumerate(ABI_NAMES)} | {f"x{i}": i for i in range(32)} | {"fp": 8}

# An instruction of the SDK, with its labels before it.
LINE = re.compile(r"^((?:\s*\w+:)*)\s*((?:p|pv|lp)\.\S+)\s+(.*?)\s*$")
ACCESS = re.compile(r"^(\w+), (-?\w+)\((\w+)(!?)\)$")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: the row's name, then what the simulator's decoder has to find again.

    `imm` is that of the row; None is a hardware loop's distance, which a label gives.
    """

    mnemonic: str
    rd: int = 0
    rs1: int = 0
    rs2: int = 0
    imm: int | None = 0


def translated(text: str) -> tuple[str, tuple[Instruction, ...]]:
    """Return assembly text with words in place of the SDK's mnemonics, and these instructions in order.

    Raises: ValueError for a mnemonic or operand that is not in the tables.
    """
    lines, instructions = [], []
    for line in text.splitlines():
        if found := LINE.match(line):
            labels, mnemonic, operands = found.groups()
            instruction, distance = _parsed(mnemonic, operands)
            word = encode(
                ROWS[instruction.mnemonic],
                rd=instruction.rd, rs1=instruction.rs1, rs2=instruction.rs2, imm=instruction.imm or 0,
            )  # fmt: skip
            lines.append(f"{labels} .4byte {word:#010x}{distance}")
            instructions.append(instruction)
        else:
            lines.append(line)
    return "\n".join(lines) + "\n", tuple(instructions)


def _parsed(mnemonic: str, operands: str) -> tuple[Instruction, str]:
    """Return an instruction, and what the stock assembler has to add to its word."""
    if mnemonic.startswith("lp."):
        return _loop(mnemonic, operands.split(", "))
    if mnemonic[:4] in {"p.lb", "p.lh", "p.lw", "p.sb", "p.sh", "p.sw"}:
        return _access(mnemonic, operands), ""
    name = RENAMED.get(mnemonic, mnemonic)
    words = operands.split(", ")
    match ROWS[name].operands if name in ROWS else "", len(words):
        case "RR", 3:
            return Instruction(name, *map(_register, words)), ""
        case "R", 2:
            return Instruction(name, *map(_register, words)), ""
        case "UIMM5", 3:
            return Instruction(name, _register(words[0]), _register(words[1]), imm=int(words[2])), ""
    raise ValueError(f"{mnemonic} {operands}")


def _access(mnemonic: str, operands: str) -> Instruction:
    found = ACCESS.match(operands)
    if found is None:
        raise ValueError(f"{mnemonic} {operands}")
    value, offset, base, bang = found.groups()
    register = offset in REGISTERS
    name = ACCESSES[mnemonic, bool(bang), register]
    first, at = _register(value), _register(base)
    match mnemonic.startswith("p.s"), register:
        case True, True:  # the offset stands where a result would
            return Instruction(name, _register(offset), at, first)
        case True, False:
            return Instruction(name, rs1=at, rs2=first, imm=int(offset))
        case False, True:
            return Instruction(name, first, at, _register(offset))
    return Instruction(name, first, at, imm=int(offset))


def _loop(mnemonic: str, words: list[str]) -> tuple[Instruction, str]:
    """The number of the loop, then a count, a label, or both: bits 31 to 20 are half the way to the label."""
    number = {"x0": 0, "x1": 1}[words[0]]
    distance = f" | ((({words[-1]} - .) / 2) << 20)"
    match mnemonic, len(words):
        case "lp.setup", 3:
            return Instruction(mnemonic, number, _register(words[1]), imm=None), distance
        case "lp.count", 2:
            return Instruction(mnemonic, number, _register(words[1])), ""
        case (("lp.starti" | "lp.endi"), 2):
            return Instruction(mnemonic, number, imm=None), distance
    raise ValueError(f"{mnemonic} {words}")


def _register(name: str) -> int:
    if name not in REGISTERS:
        raise ValueError(f"{name} is no register")
    return REGISTERS[name]
