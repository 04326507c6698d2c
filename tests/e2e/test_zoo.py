"""Encoders as labs write them: each compiles as it is, is bit-exact on host and iss, and near onnxruntime."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.zoo.encoders import ENCODERS
from tests.e2e.zoo.measure import measure
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.riscv import run_iss

FLOOR_DB = 20.0
FLOOR_SAME = 0.75


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator, built once."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.mark.parametrize("number", range(len(ENCODERS)), ids=[shape.name for shape in ENCODERS])
def test_an_encoder_as_labs_write_it(tmp_path: Path, simulator: Path, number: int) -> None:
    found = measure(tmp_path, ENCODERS[number], seed=number)
    assert found.bit_exact
    assert run_iss(tmp_path / "out", simulator=simulator).bit_exact
    assert found.same >= FLOOR_SAME if ENCODERS[number].head == "argmax" else found.sqnr_db > FLOOR_DB


def test_names_are_unique() -> None:
    assert len({shape.name for shape in ENCODERS}) == len(ENCODERS) >= 60
