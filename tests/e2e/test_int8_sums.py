"""Sums of int8 values, from ONNX to the instruction set: bit-exact, and every change of a call is caught."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.backend_gap9.prove.damage import Subject
from tests.backend_gap9.prove.test_relations import uncaught
from tests.networks.simple_plan import Planned
from tmc.backend_gap9.program.program import calls
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Compiled, Options, compile_model
from tmc.ir.graph import OpKind

TARGET = target_named("gap9")


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def compiled(folder: Path, rows: int, columns: int) -> Compiled:
    """Compile a network of sums of activations, of a sum and a linear; a value and itself is a table."""
    random = np.random.default_rng(rows)
    shapes = {"w0": (10, columns), "w1": (10, columns), "w2": (columns, columns), "w3": (columns, 5)}
    weights = {name: random.standard_normal(shape) / shape[0] ** 0.5 for name, shape in shapes.items()}
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["gate"]),
        helper.make_node("Mul", ["a", "gate"], ["silu"]),
        helper.make_node("MatMul", ["x", "w1"], ["b"]),
        helper.make_node("Relu", ["b"], ["relu"]),
        helper.make_node("Add", ["silu", "relu"], ["both"]),
        helper.make_node("MatMul", ["both", "w2"], ["c"]),
        helper.make_node("Add", ["c", "both"], ["mixed"]),
        helper.make_node("Add", ["mixed", "mixed"], ["twice"]),
        helper.make_node("MatMul", ["twice", "w3"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (rows, 10))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (rows, 5))],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    path = folder / "sums.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    windows = random.standard_normal((32, rows, 10)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    return compile_model(Options(path, TARGET, folder / "out"))


@pytest.mark.parametrize(("rows", "columns"), [(20, 24), (7, 16), (1, 20), (33, 50)])
def test_every_op_is_bit_exact(tmp_path: Path, iss: Path, rows: int, columns: int) -> None:
    found = compiled(tmp_path, rows, columns)
    assert sum(op.kind is OpKind.QADD for op in found.graph.ops) == 2
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 25


def test_linears_of_two_inputs_are_added(tmp_path: Path, iss: Path) -> None:
    """Each is computed of int16 codes, requantised to int8 and added; a third one reads the sum."""
    random = np.random.default_rng(3)
    shapes = {"w0": (10, 24), "w1": (8, 24), "w2": (24, 12), "w3": (12, 5)}
    weights = {name: random.standard_normal(shape) / shape[0] ** 0.5 for name, shape in shapes.items()}
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]),
        helper.make_node("MatMul", ["u", "w1"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["both"]),
        helper.make_node("MatMul", ["both", "w2"], ["narrow"]),
        helper.make_node("MatMul", ["narrow", "w3"], ["y"]),
    ]
    inputs = {"x": (20, 10), "u": (20, 8)}
    graph = helper.make_graph(
        nodes,
        "inputs",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (20, 5))],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    path = tmp_path / "inputs.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    windows = {
        name: random.standard_normal((32, *shape)).astype(np.float32) for name, shape in inputs.items()
    }
    np.savez(path.with_suffix(".calibration.npz"), **windows)
    found = compile_model(Options(path, TARGET, tmp_path / "out"))
    kinds = [op.kind for op in found.graph.ops]
    assert kinds.count(OpKind.QADD) == 1 and kinds.count(OpKind.QREQUANTISE) == 2
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 25
    # What is on the way to a value of float has no comparison of its own.
    compared = {op.name for op in found.accuracy.ops}
    made = {op.output for op in found.graph.ops}
    assert made - compared == {"linear_0.sums", "linear_1.sums"}


def test_every_change_of_a_call_is_caught(tmp_path: Path) -> None:
    found = compiled(tmp_path, 20, 24)
    subject = Subject(Planned(found.graph, found.plan, found.program, found.plan.staged.contents))
    stages = range(len(found.program.stages))
    assert "tmc_add_s8s8s8" in {call.kernel for stage in found.program.stages for call in calls(stage.body)}
    kernels = [kernel for number in stages for kernel, _, _ in uncaught(subject, number)]
    assert "tmc_add_s8s8s8" not in kernels
