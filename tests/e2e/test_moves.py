"""Class tokens, read-outs of one, batches, windows that overlap, from ONNX to the instruction set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.networks.onnx_files import node, write
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Compiled, Options, compile_model
from tmc.ir.graph import OpKind

TARGET = target_named("gap9")
TOKENS, DEPTH, WIDTH, HEADS, CLASSES = 6, 8, 16, 2, 5

Numbers = Mapping[str, NDArray[np.float32] | NDArray[np.int64]]


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def normal(*shape: int) -> NDArray[np.float32]:
    """Return seeded numbers that keep the size of what they are multiplied by."""
    drawn = np.random.default_rng(shape).standard_normal(shape) / shape[0] ** 0.5
    return drawn.astype(np.float32)


def heads(name: str, order: list[int]) -> list[onnx.NodeProto]:
    """Return the nodes of one operand of attention."""
    return [
        node("MatMul", f"n w.{name}", name),
        node("Reshape", f"{name} split", f"{name}.heads"),
        node("Transpose", f"{name}.heads", f"{name}.turned", perm=order),
    ]


def encoder(stem: list[onnx.NodeProto], head: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Return a stem that makes tokens t [.., WIDTH], attention with a residual, a norm m, and a head."""
    return [
        *stem,
        node("LayerNormalization", "t g", "n"),
        *heads("q", [0, 2, 1, 3]),
        *heads("k", [0, 2, 3, 1]),
        *heads("v", [0, 2, 1, 3]),
        node("Mul", "q.turned scale", "q.scaled"),
        node("MatMul", "q.scaled k.turned", "s"),
        node("Softmax", "s", "p", axis=-1),
        node("MatMul", "p v.turned", "o"),
        node("Transpose", "o", "o.turned", perm=[0, 2, 1, 3]),
        node("Reshape", "o.turned join", "o.joined"),
        node("MatMul", "o.joined w.o", "b"),
        node("Add", "t b", "z"),
        node("LayerNormalization", "z g", "m"),
        *head,
        node("MatMul", "r w.head", "y"),
    ]


def compiled(
    folder: Path, nodes: list[onnx.NodeProto], shape: tuple[int, ...], tokens: int, more: Numbers
) -> Compiled:
    """Compile a network of an encoder."""
    weights = {f"w.{name}": normal(WIDTH, WIDTH) * (1 + number) for number, name in enumerate("qkvo")}
    sizes = {"split": [shape[0], tokens, HEADS, WIDTH // HEADS], "join": [shape[0], tokens, WIDTH]}
    constants = {
        "g": np.ones(WIDTH, np.float32),
        "scale": np.float32((WIDTH / HEADS) ** -0.5),
        "w.head": normal(WIDTH, CLASSES),
        **{name: np.array(size) for name, size in sizes.items()},
        **weights,
        **more,
    }
    path = write(folder / "m.onnx", nodes, {"x": shape}, ("y",), constants)
    windows = np.random.default_rng(3).standard_normal((64, *shape)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    return compile_model(Options(path, TARGET, folder / "out"))


def is_exact(folder: Path, simulator: Path) -> bool:
    """Tell whether every op gives the codes of the interpreter, on host and simulator."""
    return run_host(folder / "out").bit_exact and run_iss(folder / "out", simulator=simulator).bit_exact


@pytest.mark.parametrize("token", [0, TOKENS])
def test_a_class_token_and_a_read_out_of_one(tmp_path: Path, iss: Path, token: int) -> None:
    stem = [
        node("MatMul", "x w.in", "h"),
        node("Concat", "class h", "j", axis=1),
        node("Add", "j positions", "t"),
    ]
    nodes = encoder(stem, [node("Gather", "m token", "r", axis=1)])
    more: Numbers = {
        "w.in": normal(DEPTH, WIDTH),
        "class": normal(1, 1, WIDTH),
        "positions": normal(1, TOKENS + 1, WIDTH),
        "token": np.array(token),
    }
    found = compiled(tmp_path, nodes, (1, TOKENS, DEPTH), TOKENS + 1, more)
    rows = {op.kind: found.graph.types[op.output].shape[-2] for op in found.graph.ops}
    assert rows[OpKind.QATTENTION] == rows[OpKind.QLAYERNORM] == 1
    assert is_exact(tmp_path, iss)
    assert found.accuracy.outputs[0].sqnr_db > 28


def test_a_batch_of_windows_and_means_of_length_one(tmp_path: Path, iss: Path) -> None:
    head = [
        node("ReduceMean", "m", "u", axes=[1], keepdims=0),
        node("ReduceL2", "u", "length", axes=[1], keepdims=1),
        node("Max", "length tiny", "floor"),
        node("Div", "u floor", "r"),
    ]
    nodes = encoder([node("MatMul", "x w.in", "t")], head)
    more: Numbers = {"w.in": normal(DEPTH, WIDTH), "tiny": np.array([1e-12], np.float32)}
    found = compiled(tmp_path, nodes, (3, TOKENS, DEPTH), TOKENS, more)
    assert found.graph.types["y"].shape == (3, CLASSES)
    assert is_exact(tmp_path, iss)
    assert found.accuracy.outputs[0].sqnr_db > 28


def test_windows_that_overlap_and_a_norm_over_channels(tmp_path: Path, iss: Path) -> None:
    stem = [
        node("Conv", "x filters", "c", pads=[2, 2], strides=[2]),
        node("ReduceMean", "c", "mean", axes=[1], keepdims=1),
        node("Sub", "c mean", "centred"),
        node("Mul", "centred centred", "square"),
        node("ReduceMean", "square", "variance", axes=[1], keepdims=1),
        node("Add", "variance epsilon", "sum"),
        node("Sqrt", "sum", "root"),
        node("Div", "centred root", "normed"),
        node("Mul", "normed gain", "a"),
        node("Relu", "a", "rectified"),
        node("Conv", "rectified more.filters", "d", pads=[0, 1], strides=[2]),
        node("Transpose", "d", "t", perm=[0, 2, 1]),
    ]
    nodes = encoder(stem, [node("ReduceMean", "m", "r", axes=[1], keepdims=0)])
    more: Numbers = {
        "filters": normal(WIDTH, 3, 5),
        "more.filters": normal(WIDTH, WIDTH, 3),
        "gain": normal(WIDTH, 1) + np.float32(1),
        "epsilon": np.float32(1e-5),
    }
    found = compiled(tmp_path, nodes, (1, 3, 4 * TOKENS), TOKENS, more)
    assert is_exact(tmp_path, iss)
    assert found.accuracy.outputs[0].sqnr_db > 28
