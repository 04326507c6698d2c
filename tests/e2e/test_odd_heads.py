"""Attention over heads of any width, from ONNX to the instruction set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.networks.onnx_files import node, write
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.graph import OpKind, producers

TARGET = target_named("gap9")
TOKENS, CHANNELS, HEADS = 10, 12, 2


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def rotation(name: str) -> list[onnx.NodeProto]:
    """Return the nodes that rotate the first half of each head with its second half."""
    n = name
    return [
        node("Split", f"{n}_split", f"{n}_a {n}_b", axis=-1),
        node("Mul", f"{n}_a cos", f"{n}_ac"),
        node("Mul", f"{n}_b sin", f"{n}_bs"),
        node("Sub", f"{n}_ac {n}_bs", f"{n}_first"),
        node("Mul", f"{n}_b cos", f"{n}_bc"),
        node("Mul", f"{n}_a sin", f"{n}_as"),
        node("Add", f"{n}_bc {n}_as", f"{n}_second"),
        node("Concat", f"{n}_first {n}_second", f"{n}_turned", axis=-1),
    ]


def write_attention(path: Path, width: int, last: str, rotated: bool = False) -> None:
    """Write attention over HEADS heads, read by one node of the kind `last`; rotated: Q and K are."""
    random = np.random.default_rng(width)
    sizes = {name: (CHANNELS, HEADS * width) for name in ("wq", "wk", "wv")} | {"wo": (HEADS * width, 5)}
    arrays = {
        name: (random.standard_normal(size) * 1.5 / size[0] ** 0.5).astype(np.float32)
        for name, size in sizes.items()
    }
    arrays["split"] = np.array([1, TOKENS, HEADS, width])
    arrays["merged"] = np.array([1, TOKENS, HEADS * width])
    if rotated:
        angles = np.outer(np.arange(TOKENS), 0.3 ** np.arange(width // 2))[:, None]
        arrays |= {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
    arrays["factor"] = np.array(width**-0.5, np.float32)
    nodes = []
    for name, order in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
        nodes += [
            node("MatMul", f"x w{name}", f"{name}_columns"),
            node("Reshape", f"{name}_columns split", f"{name}_split"),
            *(rotation(name) if rotated and name != "v" else []),
            node("Transpose", f"{name}_{'turned' if rotated and name != 'v' else 'split'}", name, perm=order),
        ]
    nodes += [
        node("MatMul", "q k", "products"),
        node("Mul", "products factor", "scores"),
        node("Softmax", "scores", "p", axis=-1),
        node("MatMul", "p v", "mixed"),
        node("Transpose", "mixed", "by_token", perm=(0, 2, 1, 3)),
        node("Reshape", "by_token merged", "heads"),
        node(last, "heads wo" if last == "MatMul" else "heads", "y"),
    ]
    write(path, nodes, {"x": (1, TOKENS, CHANNELS)}, ("y",), arrays)
    windows = random.standard_normal((64, 1, TOKENS, CHANNELS)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)


@pytest.mark.parametrize(("width", "last"), [(5, "MatMul"), (6, "Tanh")])
def test_every_op_is_bit_exact(tmp_path: Path, iss: Path, width: int, last: str) -> None:
    path = tmp_path / "heads.onnx"
    write_attention(path, width, last)
    found = compile_model(Options(path, TARGET, tmp_path / "out"))
    attended = next(op for op in found.graph.ops if op.kind is OpKind.QATTENTION)
    assert found.graph.types[attended.inputs[0]].shape == (HEADS, TOKENS, 8)
    reader = next(op for op in found.graph.ops if attended.output in op.inputs)
    assert reader.kind is (OpKind.QLINEAR if last == "MatMul" else OpKind.GATHER)
    assert all(producers(found.graph)[name].kind is OpKind.QLINEAR for name in attended.inputs[:3])
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 28


@pytest.mark.parametrize("width", [6, 10])
def test_rotations_of_any_width_are_bit_exact(tmp_path: Path, iss: Path, width: int) -> None:
    path = tmp_path / "heads.onnx"
    write_attention(path, width, "MatMul", rotated=True)
    found = compile_model(Options(path, TARGET, tmp_path / "out"))
    turned = [found.graph.types[op.output].shape for op in found.graph.ops if op.kind is OpKind.QROPE]
    assert turned == [(HEADS, TOKENS, -(-width // 4) * 4)] * 2
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 28
