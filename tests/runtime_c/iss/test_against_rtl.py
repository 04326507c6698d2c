"""XpulpV2: every instruction, alone and mixed, gives the same results here and on the Verilated core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtime_c.iss import random_xpulp
from tests.runtime_c.iss.engines import UNCOMPRESSED, Engine, compile_text, instructions
from tests.runtime_c.iss.instruction_table import RV32, SIMD, XPULP

SEEDS = range(1, 3)
MIXTURES = 200
# GVSoC differs where the bound is negative or the sum does not fit 32 bits; the RTL agrees with us.
GVSOC_DIFFERS = {"p.clipu", "p.macuRN", "p.machhuRN"}


def every_instruction(folder: Path, seed: int) -> Path:
    """Compile the program that runs each instruction alone."""
    text = random_xpulp.every_instruction(seed, instances=8, vectors=12)
    return compile_text(folder, "every.S", text, march=UNCOMPRESSED)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_instruction(
    seed: int, tmp_path: Path, iss: Engine, rtl: Engine, record_property: Callable[[str, object], None]
) -> None:
    binary = every_instruction(tmp_path, seed)
    ours = iss.run(binary, "--stats")
    theirs = rtl.output(binary)
    assert [line.split()[0] for line in theirs] == [row.mnemonic for row in random_xpulp.TESTED]
    assert ours.output.splitlines() == theirs
    ran = f"{len(theirs)} XpulpV2 instructions, {instructions(ours)} executed, same as the RTL"
    record_property("ran", ran)
    print(ran)


@pytest.mark.parametrize("seed", SEEDS)
def test_mixtures(
    seed: int, tmp_path: Path, iss: Engine, rtl: Engine, record_property: Callable[[str, object], None]
) -> None:
    text = random_xpulp.mixture(seed, MIXTURES, length=60)
    binary = compile_text(tmp_path, "mixture.S", text, march=UNCOMPRESSED)
    ours = iss.run(binary, "--stats")
    theirs = rtl.output(binary)
    assert len(theirs) == MIXTURES
    assert ours.output.splitlines() == theirs
    ran = f"{MIXTURES} random XpulpV2 programs, {instructions(ours)} instructions, same as the RTL"
    record_property("ran", ran)
    print(ran)


def test_every_row_is_tested() -> None:
    apart = {row.mnemonic for row in XPULP if row.operands == "LOOP"} | {"p.elw"}
    mnemonics = [row.mnemonic for row in (*XPULP, *SIMD)]
    assert len(set(mnemonics)) == len(mnemonics)
    assert {row.mnemonic for row in random_xpulp.TESTED} | apart == set(mnemonics)


def test_rows_do_not_overlap() -> None:
    """Only the products without a shift are also products with a shift of 0, and mean the same."""
    table = (*RV32, *XPULP, *SIMD)
    overlaps = {
        (first.mnemonic, second.mnemonic)
        for i, first in enumerate(table)
        for second in table[i + 1 :]
        if (first.match ^ second.match) & first.mask & second.mask == 0
    }
    kinds = [f"{op}{half}{sign}" for op in ("mul", "mac") for half in ("", "hh") for sign in "su"]
    assert overlaps == {(f"p.{kind}", f"p.{kind}N") for kind in kinds}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_instruction_on_gvsoc(seed: int, tmp_path: Path, iss: Engine, gvsoc: Engine) -> None:
    binary = every_instruction(tmp_path, seed)
    pairs = zip(iss.output(binary), gvsoc.output(binary), strict=True)
    assert {ours.split()[0] for ours, theirs in pairs if ours != theirs} <= GVSOC_DIFFERS
