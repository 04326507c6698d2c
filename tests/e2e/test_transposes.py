"""Channels as tokens, and products over tokens and channels by turns, from ONNX to the instruction set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.networks.onnx_files import node, write
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_gvsoc, run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import DType

TARGET = target_named("gap9")
SIZES = pytest.mark.parametrize("sizes", [(33, 6, 16, 8), (20, 5, 7, 9)], ids=str)


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def write_mixer(path: Path, samples: int, channels: int, width: int, mixed: int) -> None:
    """Write a network that takes the channels of a window as tokens; mixes features, tokens, features."""
    random = np.random.default_rng(samples)
    sizes = {"w0": (samples, width), "w1": (channels, mixed), "w2": (width, 4)}
    weights = {name: random.standard_normal(size) / size[0] ** 0.5 for name, size in sizes.items()}
    nodes = [
        node("Transpose", "x", "tokens", perm=(0, 2, 1)),
        node("MatMul", "tokens w0", "h"),
        node("Tanh", "h", "a"),
        node("Transpose", "a", "features", perm=(0, 2, 1)),
        node("MatMul", "features w1", "m"),
        node("Tanh", "m", "t"),
        node("Transpose", "t", "back", perm=(0, 2, 1)),
        node("MatMul", "back w2", "forecast"),
        node("Transpose", "forecast", "y", perm=(0, 2, 1)),
    ]
    arrays = {name: array.astype(np.float32) for name, array in weights.items()}
    write(path, nodes, {"x": (1, samples, channels)}, ("y",), arrays)
    windows = random.standard_normal((64, 1, samples, channels)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)


def transposed(graph: Graph) -> list[DType]:
    """Return the types of what a graph transposes."""
    return [graph.types[op.output].dtype for op in graph.ops if op.kind is OpKind.TRANSPOSE]


@SIZES
def test_every_transpose_is_bit_exact(tmp_path: Path, iss: Path, sizes: tuple[int, int, int, int]) -> None:
    path = tmp_path / "mixer.onnx"
    write_mixer(path, *sizes)
    found = compile_model(Options(path, TARGET, tmp_path / "out"))
    assert transposed(found.graph) == [DType.S16, DType.S8, DType.S8, DType.S16]
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 28


@SIZES
def test_every_transpose_is_bit_exact_on_gvsoc(
    tmp_path: Path, gvsoc_program: Path, sizes: tuple[int, int, int, int]
) -> None:
    path = tmp_path / "mixer.onnx"
    write_mixer(path, *sizes)
    compile_model(Options(path, TARGET, tmp_path / "out"))
    assert run_gvsoc(tmp_path / "out", gvsoc=gvsoc_program).bit_exact
