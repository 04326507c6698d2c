"""RV32IMC: random programs give the same registers and memory here and in QEMU."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtime_c.iss import random_rv32
from tests.runtime_c.iss.engines import VIRT, Engine, compile_text, instructions, run_quietly, tool
from tests.runtime_c.iss.instruction_table import RV32

PROGRAMS = 150
COMPRESSED = (
    "addi4spn lw sw addi jal li addi16sp lui srli srai andi sub xor or and j beqz bnez "
    "slli lwsp jr mv jalr add swsp"
).split()
# Not drawn: they need a handler, or act on what a program cannot see.
NOT_DRAWN = {"ecall", "ebreak", "wfi", "fence", "fence.i"}


@pytest.mark.parametrize("seed", range(1, 5))
def test_random_programs(
    seed: int, tmp_path: Path, iss: Engine, qemu: Engine, record_property: Callable[[str, object], None]
) -> None:
    text = random_rv32.assembly(seed, PROGRAMS)
    ours = iss.run(compile_text(tmp_path, "random.S", text), "--stats")
    theirs = qemu.output(compile_text(tmp_path, "random.S", text, platform=VIRT))
    assert len(theirs) == PROGRAMS
    assert ours.output.splitlines() == theirs
    ran = f"{PROGRAMS} random RV32IMC programs, {instructions(ours)} instructions, same as QEMU"
    record_property("ran", ran)
    print(ran)


def test_programs_use_every_instruction(tmp_path: Path) -> None:
    binary = compile_text(tmp_path, "random.S", random_rv32.assembly(1, PROGRAMS))
    objdump = tool("riscv64-unknown-elf-objdump", "binutils-riscv64-unknown-elf")
    listing = run_quietly([objdump, "-d", "-M", "no-aliases", binary])
    used = set(re.findall(r"^\s*[0-9a-f]+:\t[0-9a-f]+\s+([\w.]+)", listing, re.MULTILINE))
    base = {row.mnemonic for row in RV32 if row.operands != "CSR"} - NOT_DRAWN
    assert (base | {f"c.{name}" for name in COMPRESSED}) - used == set()
