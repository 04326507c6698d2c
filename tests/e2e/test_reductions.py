"""Ops that make one element of many, to the cores: bit-exact, every change of a call caught, near float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from tests.backend_gap9.prove.test_relations import uncaught_in_all_stages
from tests.networks.emitted_network import emitted
from tests.networks.onnx_files import node, write
from tests.networks.reduction_network import reduction_network
from tests.networks.simple_plan import Tiles, simple_plan
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_gvsoc, run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.graph import OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import DType
from tmc.passes.calibrate.codes import quantise_inputs

# Rows of a tile, channels of a linear and columns, buffers of an input; the others are of attention.
TILES = Tiles(5, 8, 2, 1, 1, 1)
DEPTH, ROWS, COLUMNS, CLASSES = 12, 20, 30, 5


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.mark.parametrize(("groups", "group_rows", "columns"), [(1, 1, 4), (3, 7, 20), (2, 24, 36), (5, 2, 8)])
def test_every_op_is_bit_exact(tmp_path: Path, iss: Path, groups: int, group_rows: int, columns: int) -> None:
    write_directory(emitted(reduction_network(groups, group_rows, columns), TILES), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact


def test_every_op_is_bit_exact_on_gvsoc(tmp_path: Path, gvsoc_program: Path) -> None:
    write_directory(emitted(reduction_network(3, 7, 20), TILES), tmp_path / "out")
    assert run_gvsoc(tmp_path / "out", gvsoc=gvsoc_program).bit_exact


def test_every_change_of_a_call_is_caught() -> None:
    planned = simple_plan(reduction_network(3, 7, 20), TILES)
    # Of a single row, the pitch does not matter.
    assert uncaught_in_all_stages(planned) == {
        (op, "y_pitch") for op in ("highest", "narrow_highest", "widest_highest")
    }


@pytest.mark.parametrize(
    ("axes", "kept"),
    [((1,), "one row"), ((2,), "one column")],
)
@pytest.mark.parametrize("before", ["LayerNormalization", "Relu", "MatMul"])
def test_the_largest_of_tokens_is_bit_exact(
    tmp_path: Path, iss: Path, axes: tuple[int, ...], kept: str, before: str
) -> None:
    random = np.random.default_rng(1)
    more = {"LayerNormalization": ("gain", {"axis": -1}), "Relu": ("", {}), "MatMul": ("w2", {})}
    operand, attributes = more[before]
    nodes = [
        node("MatMul", "x w0", "h"),
        node(before, f"h {operand}", "n", **attributes),
        node("ReduceMax", "n", "m", axes=list(axes), keepdims=0),
        node("MatMul", "m w1", "y"),
    ]
    depth = COLUMNS if kept == "one row" else ROWS
    constants = {
        "w0": random.standard_normal((DEPTH, COLUMNS)) / DEPTH**0.5,
        "w2": random.standard_normal((COLUMNS, COLUMNS)) / COLUMNS**0.5,
        "gain": np.exp(0.3 * random.standard_normal(COLUMNS)),
        "w1": random.standard_normal((depth, CLASSES)) / depth**0.5,
    }
    path = tmp_path / "pooled.onnx"
    arrays = {name: array.astype(np.float32) for name, array in constants.items()}
    write(path, nodes, {"x": (1, ROWS, DEPTH)}, ("y",), arrays)
    windows = random.standard_normal((64, 1, ROWS, DEPTH)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    found = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert OpKind.MAX_ROWS in {op.kind for op in found.graph.ops}
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 30


def test_the_largest_logits_of_tokens_are_int32(tmp_path: Path, iss: Path) -> None:
    random = np.random.default_rng(1)
    nodes = [node("MatMul", "x w", "h"), node("ReduceMax", "h", "y", axes=[1], keepdims=0)]
    weight = (random.standard_normal((DEPTH, CLASSES)) / DEPTH**0.5).astype(np.float32)
    path = tmp_path / "logits.onnx"
    write(path, nodes, {"x": (1, ROWS, DEPTH)}, ("y",), {"w": weight})
    windows = random.standard_normal((64, 1, ROWS, DEPTH)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    found = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert [op.kind for op in found.graph.ops if op.kind is not OpKind.RESHAPE] == [
        OpKind.QLINEAR,
        OpKind.MAX_ROWS,
    ]
    assert found.graph.types["y"].dtype is DType.S32
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 35


@pytest.mark.parametrize(("axis", "keepdims"), [(2, 0), (-1, 1), (1, 0)])
@pytest.mark.parametrize("before", ["MatMul", "LayerNormalization", "Relu"])
def test_the_class_is_a_result(tmp_path: Path, iss: Path, axis: int, keepdims: int, before: str) -> None:
    random = np.random.default_rng(1)
    more = {"LayerNormalization": ("gain", {"axis": -1}), "Relu": ("", {}), "MatMul": ("w1", {})}
    operand, attributes = more[before]
    nodes = [
        node("MatMul", "x w0", "h"),
        node(before, f"h {operand}", "n", **attributes),
        node("ArgMax", "n", "y", axis=axis, keepdims=keepdims),
    ]
    constants = {
        "w0": random.standard_normal((DEPTH, COLUMNS)) / DEPTH**0.5,
        "w1": random.standard_normal((COLUMNS, CLASSES)) / COLUMNS**0.5,
        "gain": np.exp(0.3 * random.standard_normal(COLUMNS)),
    }
    path = tmp_path / "class.onnx"
    arrays = {name: array.astype(np.float32) for name, array in constants.items()}
    write(path, nodes, {"x": (1, ROWS, DEPTH)}, ("y",), arrays, result=TensorProto.INT64)
    windows = random.standard_normal((64, 1, ROWS, DEPTH)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    found = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert OpKind.ARGMAX_COLUMNS in {op.kind for op in found.graph.ops}
    assert found.graph.types["y"].dtype is DType.S32
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = np.stack([session.run(None, {"x": window})[0] for window in windows])
    indices = np.stack(
        [interpret(found.graph, quantise_inputs(found.graph, {"x": window}))["y"] for window in windows]
    )
    assert wanted.shape == indices.shape
    assert (wanted == indices).mean() > 0.97


def test_sums_weighted_by_a_softmax_are_bit_exact(tmp_path: Path, iss: Path) -> None:
    random, width = np.random.default_rng(1), 32
    nodes = [
        node("MatMul", "x w0", "h"),
        node("LayerNormalization", "h gain", "n", axis=-1),
        node("MatMul", "n score", "s"),
        node("Softmax", "s", "p", axis=1),
        node("Mul", "p n", "m"),
        node("ReduceSum", "m axis", "t", keepdims=0),
        node("MatMul", "t w1", "y"),
    ]
    constants = {
        "w0": random.standard_normal((DEPTH, width)) / DEPTH**0.5,
        "gain": np.exp(0.3 * random.standard_normal(width)),
        "score": random.standard_normal((width, 1)) / width**0.5,
        "w1": random.standard_normal((width, CLASSES)) / width**0.5,
    }
    arrays: dict[str, np.ndarray] = {name: array.astype(np.float32) for name, array in constants.items()}
    path = tmp_path / "weighted.onnx"
    write(path, nodes, {"x": (1, ROWS, DEPTH)}, ("y",), arrays | {"axis": np.array([1])})
    windows = random.standard_normal((64, 1, ROWS, DEPTH)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    found = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert OpKind.QATTENTION in {op.kind for op in found.graph.ops}
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 25
