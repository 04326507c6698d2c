"""Products and quotients of computed values, from ONNX to the instruction set: bit-exact, close to float."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.networks.attention_models import Variant, write_attention
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.graph import OpKind

ROWS = 18
node = helper.make_node

# SwiGLU: silu(a(x)) * b(x), added to the stream.
GATED_MLP = [
    node("MatMul", ["x", "in"], ["s"]),
    node("MatMul", ["s", "up0"], ["a"]),
    node("Sigmoid", ["a"], ["sigmoid"]),
    node("Mul", ["a", "sigmoid"], ["silu"]),
    node("MatMul", ["s", "up1"], ["b"]),
    node("Mul", ["silu", "b"], ["gated"]),
    node("MatMul", ["gated", "down"], ["c"]),
    node("Add", ["s", "c"], ["y"]),
]
# Squeeze and excitation: a gate for each channel from the mean over all rows, one row.
SQUEEZED = [
    node("MatMul", ["x", "in"], ["a"]),
    node("Relu", ["a"], ["r"]),
    node("ReduceMean", ["r"], ["m"], axes=[0], keepdims=1),
    node("MatMul", ["m", "squeeze"], ["q"]),
    node("Relu", ["q"], ["qr"]),
    node("MatMul", ["qr", "excite"], ["e"]),
    node("Sigmoid", ["e"], ["gate"]),
    node("Mul", ["r", "gate"], ["scaled"]),
    node("MatMul", ["scaled", "head"], ["y"]),
]
# A gate for each row, one column, and a window over the rows and channels, a constant for each element.
ROW_GATE = [
    node("MatMul", ["x", "in"], ["a"]),
    node("Tanh", ["a"], ["t"]),
    node("MatMul", ["x", "one"], ["o"]),
    node("Sigmoid", ["o"], ["gate"]),
    node("Mul", ["gate", "t"], ["kept"]),
    node("Mul", ["kept", "window"], ["seen"]),
    node("MatMul", ["seen", "head"], ["y"]),
]
# Rows over their mean magnitude.
NORMALISED = [
    node("MatMul", ["x", "in"], ["a"]),
    node("Abs", ["a"], ["magnitude"]),
    node("ReduceMean", ["magnitude"], ["mean"], axes=[1], keepdims=1),
    node("Add", ["mean", "small"], ["size"]),
    node("Div", ["a", "size"], ["unit"]),
    node("MatMul", ["unit", "head"], ["y"]),
]


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def exported(path: Path, nodes: Sequence[NodeProto]) -> Path:
    """Write a network of an input x [18, 10] and a result y, with random weights, and its calibration."""
    random = np.random.default_rng(len(nodes))
    shapes = {"in": (10, 24), "up0": (24, 44), "up1": (24, 44), "down": (44, 24), "head": (24, 6)}
    shapes |= {"squeeze": (24, 8), "excite": (8, 24), "one": (10, 1)}
    arrays = {name: random.standard_normal(shape) / shape[0] ** 0.5 for name, shape in shapes.items()}
    arrays["window"] = np.outer(np.hanning(ROWS), random.random(24)) + random.random((ROWS, 24))
    arrays["small"] = np.array(1e-3)
    read = {name for each in nodes for name in each.input}
    width = 24 if nodes[-1].op_type == "Add" else 6
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (ROWS, 10))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (ROWS, width))],
        [
            numpy_helper.from_array(array.astype(np.float32), name)
            for name, array in arrays.items()
            if name in read
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    windows = random.uniform(-1, 1, (32, ROWS, 10)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    return path


@pytest.mark.parametrize(
    ("nodes", "products"),
    [(GATED_MLP, 1), (SQUEEZED, 1), (ROW_GATE, 2), (NORMALISED, 1)],
    ids=["gated_mlp", "squeezed", "row_gate", "normalised"],
)
def test_products(tmp_path: Path, iss: Path, nodes: list[NodeProto], products: int) -> None:
    path = exported(tmp_path / "products.onnx", nodes)
    found = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert sum(op.kind is OpKind.QMUL for op in found.graph.ops) == products
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 30


def test_a_rotation_of_q_alone(tmp_path: Path, iss: Path) -> None:
    """Its stages are alike but for the rows that they pick: one function, which is given their tables."""
    path = write_attention(tmp_path / "net.onnx", Variant(rope="q_only"))
    found = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert "own->first_0[" in (tmp_path / "out" / "network.c").read_text(encoding="utf-8")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 25
