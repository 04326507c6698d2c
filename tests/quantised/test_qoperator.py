"""Files in the operator format of onnxruntime's quantiser."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnxruntime.quantization import QuantFormat

from tests.networks.onnx_files import node, write
from tests.quantised.qdq_models import quantise, samples, write_mlp
from tmc.frontend import load
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import OpKind

RANDOM = np.random.default_rng(3)
CODES = RANDOM.integers(-127, 128, (8, 6)).astype(np.int8)
CONSTANTS: dict[str, NDArray[Any]] = {
    "s": np.float32(0.02),
    "z": np.uint8(120),
    "t": np.float32(0.03),
    "u": np.uint8(99),
    "w": CODES,
    "ws": np.float32(0.01),
    "wz": np.int8(0),
    "many": np.linspace(0.005, 0.02, 6, dtype=np.float32),
    "zeros": np.zeros(6, np.int8),
    "wt": np.ascontiguousarray(CODES.T),
    "b": RANDOM.integers(-4000, 4000, 6).astype(np.int32),
    "k": RANDOM.integers(-127, 128, (6, 8, 3)).astype(np.int8),
    "c": RANDOM.integers(0, 255, (3, 8)).astype(np.uint8),
    "yes": RANDOM.integers(0, 2, (3, 8)).astype(bool),
}
ROUND = node("QuantizeLinear", "x s z", "q")
REAL = node("DequantizeLinear", "r t u", "y")


@dataclass(frozen=True, slots=True)
class Case:
    """An op on the codes q of x, to codes r of scale t and zero point u."""

    kind: str
    operands: str
    attributes: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = (3, 8)
    opset: int = 17

    def write(self, path: Path) -> Path:
        """Write the op between a rounding and the real numbers of its result."""
        nodes = [ROUND, node(self.kind, self.operands, "r", **self.attributes), REAL]
        names = {name for each in nodes for name in each.input}
        constants = {name: array for name, array in CONSTANTS.items() if name in names}
        return write(path, nodes, {"x": self.shape}, constants=constants, opset=self.opset)


CASES = (
    Case("QLinearMatMul", "q s z w ws wz t u"),
    Case("QLinearMatMul", "q s z w many zeros t u"),
    Case("QLinearConv", "q s z k ws wz t u b", {"pads": [1, 1], "strides": [2]}, (1, 8, 9)),
    Case("QLinearConv", "q s z k many zeros t u b", {"dilations": [2]}, (1, 8, 9)),
    Case("QLinearConv", "q s z k many zeros t u", {}, (1, 8, 9)),
    Case("com.microsoft.QGemm", "q s z w ws wz b t u"),
    Case("com.microsoft.QGemm", "q s z wt many zeros b t u", {"transB": 1, "alpha": 0.5}),
    Case("com.microsoft.QGemm", "q s z w many zeros _ t u"),
    Case("com.microsoft.QLinearAdd", "q s z c ws u t u"),
    Case("com.microsoft.QLinearMul", "q s z q s z t u"),
    Case("com.microsoft.QLinearWhere", "yes q s z c ws u t u"),
    Case("com.microsoft.QLinearSigmoid", "q s z t u"),
    Case("com.microsoft.QLinearLeakyRelu", "q s z t u", {"alpha": 0.2}),
    Case("com.microsoft.QLinearSoftmax", "q s z t u", {"axis": 1, "opset": 17}),
    Case("com.microsoft.QLinearAveragePool", "q s z t u", {"kernel_shape": [3], "strides": [3]}, (1, 4, 9)),
    Case("com.microsoft.QLinearGlobalAveragePool", "q s z t u", {}, (1, 4, 9)),
    Case("com.microsoft.QLinearConcat", "t u q s z c ws u", {"axis": 0}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind} {case.operands}")
def test_every_op_gives_the_codes_of_onnxruntime(tmp_path: Path, case: Case) -> None:
    path = case.write(tmp_path / "m.onnx")
    graph = load(path)
    roundings = [op for op in graph.ops if op.kind is OpKind.FAKE_QUANTISE]
    assert [op.loc for op in roundings] == ["node_q", "node_r"]
    arrays = [{"x": 1.5 * array} for array in samples(case.shape, 4, 0)]
    assert check_against_onnxruntime(path, graph, arrays) < 1e-4


def test_a_wrong_scale_is_noticed(tmp_path: Path) -> None:
    """The codes that count are those of the file as onnxruntime runs it, not of what it is rewritten to."""
    case = CASES[0]
    path = case.write(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.node[1].input[4] = "s"
    onnx.save(model, tmp_path / "wrong.onnx")
    arrays = [{"x": 1.5 * array} for array in samples(case.shape, 1, 0)]
    with pytest.raises(UnsupportedModel, match=r"node_r: found a value .* steps from the code"):
        check_against_onnxruntime(path, load(tmp_path / "wrong.onnx"), arrays)


def test_a_result_without_a_scale_is_real(tmp_path: Path) -> None:
    nodes = [ROUND, node("com.microsoft.QGemm", "q s z w ws wz", "y")]
    constants = {name: CONSTANTS[name] for name in ("s", "z", "w", "ws", "wz")}
    path = write(tmp_path / "m.onnx", nodes, {"x": (3, 8)}, constants=constants)
    arrays = [{"x": array} for array in samples((3, 8), 2, 0)]
    assert check_against_onnxruntime(path, load(path), arrays) < 1e-5


def test_nodes_without_names(tmp_path: Path) -> None:
    path = CASES[0].write(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.node[1].name = ""
    onnx.save(model, path)
    assert "QLinearMatMul -> r" in {op.loc for op in load(path).ops}


def test_channels_last_is_refused(tmp_path: Path) -> None:
    case = Case("com.microsoft.QLinearGlobalAveragePool", "q s z t u", {"channels_last": 1}, (1, 4, 9))
    with pytest.raises(UnsupportedModel, match=r"node_r \(com.microsoft.QLinearGlobalAveragePool\)"):
        load(case.write(tmp_path / "m.onnx"))


@pytest.mark.parametrize("kind", ["MaxPool", "Transpose"])
def test_codes_may_be_moved_and_chosen(tmp_path: Path, kind: str) -> None:
    attributes = {"kernel_shape": [3], "strides": [2]} if kind == "MaxPool" else {}
    nodes = [ROUND, node(kind, "q", "p", **attributes), node("DequantizeLinear", "p s z", "y")]
    constants = {name: CONSTANTS[name] for name in ("s", "z")}
    path = write(tmp_path / "m.onnx", nodes, {"x": (1, 4, 9)}, constants=constants)
    arrays = [{"x": array} for array in samples((1, 4, 9), 2, 0)]
    assert check_against_onnxruntime(path, load(path), arrays) == 0


@pytest.mark.parametrize("per_channel", [False, True])
def test_both_formats_give_the_same_graph(tmp_path: Path, per_channel: bool) -> None:
    """The quantiser writes one network in two formats: between the roundings both compute the same."""
    source = write_mlp(tmp_path / "m.onnx")
    path = quantise(source, tmp_path / "o.onnx", per_channel=per_channel, quant_format=QuantFormat.QOperator)
    graph = load(path)
    counts = [sum(op.kind is kind for op in graph.ops) for kind in (OpKind.MATMUL, OpKind.FAKE_QUANTISE)]
    assert counts[0] == 4 and counts[1] >= 6
    name = graph.inputs[0]
    arrays = [{name: array} for array in samples(graph.types[name].shape, 2, 5)]
    assert check_against_onnxruntime(path, graph, arrays) < 1e-5
