"""Roundings written out as Div, Add, Round, Clip: Brevitas by DeepQuant, and layers by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from tests.networks.onnx_files import node, write
from tests.quantised.qdq_models import samples
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.frontend import load
from tmc.frontend.onnx_import import load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.declared.fold_steps import fold_steps
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared

Array = NDArray[Any]
SHAPE = (5, 20)
EVALUATE = {
    "Div": np.divide,
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Round": np.rint,
    "Clip": np.clip,
    "Relu": lambda x: np.maximum(x, 0),
    "Tanh": np.tanh,
    "MatMul": np.matmul,
}


class File:
    """Nodes and constants of a file as they are written, layer by layer."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}

    def number(self, value: float) -> str:
        """Return a constant of one number."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(value, np.float32)
        return name

    def apply(self, kind: str, *operands: str) -> str:
        """Return the result of an op."""
        self.nodes.append(node(kind, " ".join(operands), f"v{len(self.nodes)}"))
        return str(self.nodes[-1].output[0])

    def quant(
        self, x: str, scale: float, low: int, high: int, zero: int = 0, clip_first: bool = False
    ) -> str:
        """Return the integers of a value, as float32."""
        x = self.apply("Add", self.apply("Div", x, self.number(scale)), self.number(zero))
        ends = (self.number(low), self.number(high))
        if clip_first:
            return self.apply("Round", self.apply("Clip", x, *ends))
        return self.apply("Clip", self.apply("Round", x), *ends)

    def dequant(self, x: str, scale: float, zero: int = 0) -> str:
        """Return what integers stand for."""
        return self.apply("Mul", self.apply("Sub", x, self.number(zero)), self.number(scale))

    def weight(self, depth: int, width: int, scale: float) -> tuple[str, str]:
        """Return integer weights, rounded in the file, and integers of a bias."""
        real, bias = f"w{len(self.constants)}", f"b{len(self.constants)}"
        self.constants[real] = self.random.uniform(-100, 100, (depth, width)).astype(np.float32) * scale
        self.constants[bias] = np.rint(self.random.uniform(-3000, 3000, width)).astype(np.float32)
        return self.quant(real, scale, -128, 127), bias

    def write(self, path: Path, output: str) -> Path:
        """Write the file."""
        self.nodes[-1].output[0] = "y"
        assert output == f"v{len(self.nodes) - 1}"
        return write(path, self.nodes, {"x": SHAPE}, constants=self.constants, opset=17)


def deep_quant(path: Path, zero: int = 0) -> Path:
    """Write two linear layers of integers with a ReLU between, as DeepQuant leaves a Brevitas network."""
    file = File(seed=3)
    x = file.quant("x", 0.0317, 0, 255, 128 + zero)
    weight, bias = file.weight(20, 24, 0.002)
    sums = file.apply("Add", file.apply("MatMul", x, weight), bias)
    x = file.quant(file.dequant(sums, 0.0317 * 0.002), 0.0523, -128, 127)
    x = file.quant(file.apply("Relu", file.dequant(x, 0.0523)), 0.0437, 0, 127)
    weight, bias = file.weight(24, 12, 0.003)
    sums = file.apply("Add", file.apply("MatMul", x, weight), bias)
    x = file.quant(file.dequant(sums, 0.0437 * 0.003), 0.1, -128, 127)
    return file.write(path, file.dequant(x, 0.1))


def by_hand(path: Path, clip_first: bool, norm: bool = False) -> Path:
    """Write linear layers on real numbers that are rounded before, as layers of one's own do."""
    file = File(seed=4)
    x = file.dequant(file.quant("x", 0.0317, -128, 127, 5, clip_first), 0.0317, 5)
    weight, _ = file.weight(20, 24, 0.002)
    x = file.apply("MatMul", x, file.dequant(weight, 0.002))
    x = file.dequant(file.quant(x, 0.0413, -128, 127, 12, clip_first), 0.0413, 12)
    if norm:
        file.constants |= {"ones": np.ones(24, np.float32), "zeros": np.zeros(24, np.float32)}
    x = file.apply("LayerNormalization", x, "ones", "zeros") if norm else file.apply("Tanh", x)
    x = file.dequant(file.quant(x, 0.01, -128, 127, 0, clip_first), 0.01)
    weight, _ = file.weight(24, 12, 0.003)
    x = file.apply("MatMul", x, file.dequant(weight, 0.003))
    return file.write(path, file.dequant(file.quant(x, 0.0523, -128, 127, -7, clip_first), 0.0523, -7))


FILES = {
    "DeepQuant": deep_quant,
    "DeepQuant, odd zero point": lambda path: deep_quant(path, zero=-9),
    "by hand": lambda path: by_hand(path, clip_first=False),
    "by hand, Clip first": lambda path: by_hand(path, clip_first=True),
}


def evaluate(path: Path, x: Array) -> Array:
    """Return y of a file in float64, and scales as they are in it."""
    model = onnx.load(path)
    values: dict[str, Array] = {
        each.name: numpy_helper.to_array(each).astype(np.float64) for each in model.graph.initializer
    }
    values["x"] = x.astype(np.float64)
    for each in model.graph.node:
        values[each.output[0]] = EVALUATE[each.op_type](*(values[name] for name in each.input))
    return values["y"]


@pytest.mark.parametrize("name", FILES)
def test_every_code_is_the_files(tmp_path: Path, name: str) -> None:
    path = FILES[name](tmp_path / "m.onnx")
    imported = load_model(path)
    assert check_against_onnxruntime(path, imported.graph, [{"x": x} for x in samples(SHAPE, 4, 0)]) < 1e-5
    graph = lower_declared(prepare_declared(imported.graph), imported.weight_scales)
    quant = graph.types["y"].quant
    assert quant is not None and {op.kind for op in graph.ops} == {OpKind.QLINEAR, OpKind.QREQUANTISE}
    for x in samples(SHAPE, 40, 2):
        found = interpret(graph, quantise_inputs(graph, {"x": x}))["y"].astype(np.float64)
        codes = np.rint(evaluate(path, x) / quant.scale[0]) + quant.zero_point
        assert np.array_equal(found, codes)


@pytest.mark.parametrize("name", ["DeepQuant, odd zero point", "by hand, Clip first"])
def test_it_compiles_code_by_code(tmp_path: Path, name: str) -> None:
    path = FILES[name](tmp_path / "m.onnx")
    compiled = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert compiled.report.declared is not None and compiled.report.declared.exact
    for run in (run_host, run_iss):
        assert run(tmp_path / "out").bit_exact


def test_other_networks_keep_scales_and_weights(tmp_path: Path) -> None:
    path = by_hand(tmp_path / "m.onnx", clip_first=True, norm=True)
    np.savez(tmp_path / "m.calibration.npz", x=np.stack(samples(SHAPE, 16, 1)))
    compiled = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    declared = compiled.report.declared
    assert declared is not None and not declared.exact and "layernorm" in declared.reason
    assert declared.weights == declared.of_weights == 2 and declared.scales > 0
    assert declared.file_db is not None and declared.file_db > 20
    assert run_host(tmp_path / "out").bit_exact


@pytest.mark.parametrize("name", FILES)
def test_steps_folded_into_roundings_are_the_same_network(tmp_path: Path, name: str) -> None:
    graph = load(FILES[name](tmp_path / "m.onnx"))
    folded = fold_steps(graph)
    kinds = _roundings(graph), _roundings(folded)
    assert len(kinds[0]) == len(kinds[1]) and set(kinds[0]) == {1.0} and 1.0 not in kinds[1]
    for x in samples(SHAPE, 8, 5):
        before, after = (interpret(each, {"x": x})["y"] for each in (graph, folded))
        # x / s + z in float32 may round another way than x / s: a step of the last codes, hardly ever.
        apart = np.abs(before - after) > 1e-5 * np.abs(before).max()
        assert apart.mean() <= 0.02


def _roundings(graph: Graph) -> list[float]:
    return [op.attrs.scale for op in graph.ops if op.kind is OpKind.FAKE_QUANTISE]  # type: ignore[attr-defined]


REFUSED = {
    "no limits": (["Round x y"], "node_y (Round)", "found a Round of any number, allowed one with a Clip"),
    "read by another": (["Round x r", "Relu r y"], "node_r (Round)", "found a Round of any number"),
    "no integers": (
        ["Round x r", "Clip r half y"],
        "node_y (Clip)",
        "rounded between 0.5 and",
    ),
    "half an integer": (
        ["Clip x half three r", "Round r y"],
        "node_y (Round)",
        "found a Round of any number",
    ),
    "too wide": (
        ["Round x r", "Clip r three wide y"],
        "node_y (Clip)",
        "what is rounded between 3 and 99999",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_roundings_to_other_than_codes_are_refused(tmp_path: Path, name: str) -> None:
    lines, where, what = REFUSED[name]
    nodes = [
        helper.make_node(kind, list(operands[:-1]), [operands[-1]], name=f"node_{operands[-1]}")
        for kind, *operands in (line.split() for line in lines)
    ]
    numbers = {"half": 0.5, "three": 3, "wide": 99999}
    used = {operand for each in nodes for operand in each.input}
    constants = {key: np.array(value, np.float32) for key, value in numbers.items() if key in used}
    with pytest.raises(UnsupportedModel) as error:
        load(write(tmp_path / "m.onnx", nodes, {"x": SHAPE}, constants=constants))
    assert error.value.where == where and what in error.value.what and error.value.notes
