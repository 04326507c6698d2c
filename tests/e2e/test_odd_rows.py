"""Tokens of any number of channels, given, reshaped and returned, from ONNX to the instruction set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.networks.onnx_files import node, write
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model

TARGET = target_named("gap9")
ROWS = 10


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def write_tokens(path: Path, given: int, between: int, returned: int) -> None:
    """Write a network that reads tokens of `given` channels, splits rows of 2 * `between` into two of half
    the width, and returns `returned` numbers for each."""
    random = np.random.default_rng(given)
    weights = {
        name: random.standard_normal(size) / size[0] ** 0.5
        for name, size in {
            "w0": (given, 2 * between),
            "w1": (between, 16),
            "w2": (16, returned),
        }.items()
    }
    arrays = {name: array.astype(np.float32) for name, array in weights.items()}
    arrays["split"] = np.array([1, 2 * ROWS, between])
    nodes = [
        node("MatMul", "x w0", "h"),
        node("Relu", "h", "a"),
        node("Reshape", "a split", "r"),
        node("MatMul", "r w1", "m"),
        node("Tanh", "m", "t"),
        node("MatMul", "t w2", "y"),
    ]
    write(path, nodes, {"x": (1, ROWS, given)}, ("y",), arrays)
    windows = random.standard_normal((64, 1, ROWS, given)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)


@pytest.mark.parametrize("sizes", [(3, 3, 5), (6, 7, 1)], ids=str)
def test_every_op_is_bit_exact(tmp_path: Path, iss: Path, sizes: tuple[int, int, int]) -> None:
    path = tmp_path / "tokens.onnx"
    write_tokens(path, *sizes)
    found = compile_model(Options(path, TARGET, tmp_path / "out"))
    assert found.graph.types["y"].shape == (1, 2 * ROWS, sizes[2])
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 28
