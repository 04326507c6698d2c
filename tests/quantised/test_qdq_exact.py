"""Networks quantised by onnxruntime's static quantiser: every code is the model's, at every value."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.quantised.qdq_models import evaluate, quantise, samples, write_mlp
from tests.tmc.command import call, succeeded
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.frontend.onnx_import import load_model
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared

CASES = [
    (opset, per_channel, activations)
    for opset in (13, 17, 21)
    for per_channel in (False, True)
    for activations in ("uint8", "int8")
]
RUNS = 60


def integer_graph(path: Path) -> Graph:
    """Return the integer graph of a quantised file."""
    imported = load_model(path)
    return lower_declared(prepare_declared(imported.graph), imported.weight_scales)


def codes_of(path: Path, graph: Graph, x: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    """Return for every stored int8 value the ONNX tensor of its codes, and the codes as the file has them."""
    made = {node.name: node.output[0] for node in onnx.load(path).graph.node}
    zero = {tensor.name: tensor.data_type for tensor in onnx.load(path).graph.initializer}
    unsigned = onnx.TensorProto.UINT8 in {
        zero[node.input[2]] for node in onnx.load(path).graph.node if node.op_type == "QuantizeLinear"
    }
    found: dict[str, np.ndarray] = {}
    interpret(graph, quantise_inputs(graph, {"x": x}), found.__setitem__)
    return {
        op.output: (made[op.loc], found[op.output].astype(np.int64) + 128 * unsigned)
        for op in graph.ops
        if op.kind is OpKind.QREQUANTISE
    }


@pytest.mark.parametrize(("opset", "per_channel", "activations"), CASES)
def test_every_code_is_the_models(tmp_path: Path, opset: int, per_channel: bool, activations: str) -> None:
    source = write_mlp(tmp_path / "m.onnx", opset, seed=opset)
    path = quantise(source, tmp_path / "q.onnx", per_channel, activations)
    graph = integer_graph(path)
    assert {op.kind for op in graph.ops} == {OpKind.QLINEAR, OpKind.QREQUANTISE}
    values = 0
    for x in samples((5, 20), RUNS, 2):
        exact = evaluate(path, x)
        for name, (tensor, codes) in codes_of(path, graph, x).items():
            assert np.array_equal(codes, exact[tensor].reshape(codes.shape)), (name, tensor)
            values += codes.size
    assert values >= RUNS * 5 * (24 + 31 + 12 + 8)


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"])
def test_onnxruntime_gives_the_same_codes_but_for_float32_ties(tmp_path: Path, level: str) -> None:
    path = quantise(write_mlp(tmp_path / "m.onnx", seed=3, rows=40), tmp_path / "q.onnx", per_channel=True)
    graph = integer_graph(path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    quant = graph.types["y"].quant
    assert quant is not None
    different = elements = 0
    for x in samples((40, 20), 40, 4):
        (expected,) = session.run(["y"], {"x": x})
        codes = np.rint(expected / np.float32(quant.scale[0])) + quant.zero_point
        found = interpret(graph, quantise_inputs(graph, {"x": x}))["y"]
        # A sum within float32 rounding of the middle between two codes may go either way, and takes with it
        # what follows from it: a step of one code, not more, in few rows.
        assert np.abs(codes - found).max() <= 2
        different += int((codes != found).any(axis=1).sum())
        elements += len(codes)
    assert different <= elements / 100


def test_weights_and_scales_are_those_of_the_file(tmp_path: Path) -> None:
    path = quantise(write_mlp(tmp_path / "m.onnx"), tmp_path / "q.onnx", per_channel=True)
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    graph = integer_graph(path)
    linears = [op for op in graph.ops if op.kind is OpKind.QLINEAR]
    for op, name in zip(linears, ("w1", "w2", "w3", "w4"), strict=True):
        weight, quant = graph.constants[op.inputs[1]], graph.types[op.inputs[1]].quant
        assert np.array_equal(weight.T, held[f"{name}_quantized"])
        assert quant is not None and np.array_equal(quant.scale, held[f"{name}_scale"].astype(np.float64))
    quant = graph.types["y"].quant
    assert quant is not None
    assert (quant.scale, quant.zero_point) == ((float(held["y_scale"]),), int(held["y_zero_point"]) - 128)


def test_compiled_network(tmp_path: Path) -> None:
    path = quantise(write_mlp(tmp_path / "m.onnx"), tmp_path / "q.onnx", per_channel=True)
    facts = succeeded("compile", path, "-o", tmp_path / "out")
    db = facts["declared"]["file_db"]
    assert db > 40  # a saturated tanh stands in the middle between two codes: float32 decides
    assert facts["declared"] == {
        "exact": True,
        **{"scales": 8, "of_scales": 8, "weights": 4, "of_weights": 4},
        **{"ranges": 0, "clips": 0, "cutting": 0, "lost": 0, "reason": "", "inputs": {}},
        **{"file_db": db, "file_float_db": None, "file_windows": 2},
    }
    said = f"every code is that of the quantised model; outputs {db:.1f} dB from those of the file itself on "
    said += "2 windows; accuracy is against the quantised model in float32, with its roundings"
    assert json.loads((tmp_path / "out" / "report.json").read_text())["declared"] == facts["declared"]
    assert f"Of the quantised model: {said}." in (tmp_path / "out" / "report.html").read_text()
    assert f"\ndeclared: {said}\n" in call("report", tmp_path / "out").out
    graph = integer_graph(path)
    inputs = np.stack([quantise_inputs(graph, {"x": x})["x"] for x in samples((5, 20), 3, 5)])
    expected = np.stack([interpret(graph, {"x": codes})["y"] for codes in inputs])
    for run in (run_host, run_iss):
        result = run(tmp_path / "out", {"x": inputs})
        assert result.bit_exact
        assert np.array_equal(result.outputs["y"].reshape(expected.shape), expected)


def test_no_samples_are_needed(tmp_path: Path) -> None:
    path = quantise(write_mlp(tmp_path / "m.onnx"), tmp_path / "q.onnx")
    answer = call("check", path)
    assert answer.status == 0
    assert "every code is that of the quantised model" in answer.out
    assert "warning" not in answer.err
