"""The encoding tables of the simulator, read as text: words are built from the same rows that decode them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.repository import ROOT

ISS = ROOT / "runtime_c" / "iss"
ROW = re.compile(r'^INSTRUCTION\(\w+, "([\w.]+)", (0x[0-9a-f]{8}), (0x[0-9a-f]{8}), (\w+)\)$', re.MULTILINE)

# Values that the immediate of an operand format may take; formats without an immediate are not listed.
IMMEDIATES: dict[str, range] = {
    "I": range(-2048, 2048),
    "S": range(-2048, 2048),
    "BRANCH_IMM": range(-16, 16),
    "UIMM5": range(32),
    "SIMM6": range(-32, 32),
    "UIMM6": range(64),
    "SHIFT": range(32),
    "BITS": range(1024),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One instruction: a word is it if `word & mask == match`."""

    mnemonic: str
    match: int
    mask: int
    operands: str


def rows(name: str) -> tuple[Row, ...]:
    """Read the rows of one table of runtime_c/iss, such as `encodings_simd.h`."""
    text = Path(ISS, name).read_text()
    found = tuple(Row(m, int(match, 16), int(mask, 16), ops) for m, match, mask, ops in ROW.findall(text))
    assert len(found) == text.count("\nINSTRUCTION("), f"{name}: rows that are not understood"
    return found


RV32 = rows("encodings_rv32.h")
XPULP = rows("encodings_xpulp.h")
SIMD = rows("encodings_simd.h")


def encode(row: Row, *, rd: int = 0, rs1: int = 0, rs2: int = 0, imm: int = 0, offset: int = 0) -> int:
    """Build the word of an instruction; `offset` in bytes is that of a branch, `imm` any other immediate."""
    word = row.match
    if row.operands in IMMEDIATES:
        assert imm in IMMEDIATES[row.operands], f"{row.mnemonic}: immediate {imm}"
    if row.operands not in {"S", "BRANCH_IMM"}:
        word |= rd << 7
    word |= rs1 << 15
    if row.operands in {"RR", "STORE_RR", "S", "SHIFT"}:
        word |= rs2 << 20
    match row.operands:
        case "I":
            word |= (imm & 0xFFF) << 20
        case "S":
            word |= (imm >> 5 & 0x7F) << 25 | (imm & 0x1F) << 7
        case "UIMM5":
            word |= imm << 20
        case "SIMM6" | "UIMM6":
            word |= (imm >> 1 & 0x1F) << 20 | (imm & 1) << 25
        case "SHIFT":
            word |= imm << 25
        case "BITS":
            word |= (imm & 0x1F) << 20 | (imm >> 5) << 25
        case "BRANCH_IMM":
            word |= (imm & 0x1F) << 20
            word |= (offset >> 11 & 1) << 7 | (offset >> 1 & 0xF) << 8
            word |= (offset >> 5 & 0x3F) << 25 | (offset >> 12 & 1) << 31
    assert word & row.mask == row.match, f"{row.mnemonic}: operands overwrite the opcode"
    return word
