"""Encoders as labs write them on GVSoC: the bytes of every op."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.zoo.encoders import ENCODERS, write
from tests.tmc.command import succeeded


@pytest.mark.parametrize("number", range(len(ENCODERS)), ids=[shape.name for shape in ENCODERS])
def test_every_op(tmp_path: Path, gvsoc_program: Path, number: int) -> None:
    model = write(tmp_path, ENCODERS[number], seed=number)
    succeeded("compile", model, "-o", tmp_path / "out")
    ran = succeeded("run", tmp_path / "out", "--on", "gvsoc", "--gvsoc", gvsoc_program)
    assert (ran["platform"], ran["bit_exact"], ran["mismatches"]) == ("gvsoc", True, 0)
