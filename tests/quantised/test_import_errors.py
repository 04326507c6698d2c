"""What quantised files may hold, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto
from onnxruntime.quantization import quantize_dynamic

from tests.networks.onnx_files import node, samples, write
from tests.quantised.qdq_models import write_mlp
from tmc.frontend.onnx_import import load, load_model
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import OpKind

ONE = np.array(0.5, np.float32)
CONSTANTS: dict[str, Any] = {
    "s": ONE,
    "t": np.array(0.25, np.float32),
    "z": np.array(3, np.uint8),
    "i": np.array(-2, np.int8),
    "two": np.array([0.5, 0.25], np.float32),
    "zz": np.zeros(2, np.uint8),
    "column": np.array([[0.5], [0.25]], np.float32),
    "zcolumn": np.zeros((2, 1), np.int8),
    "z1": np.zeros((1, 1), np.uint8),
    "wide": np.array(0, np.int16),
    "uwide": np.array(9, np.uint16),
    "uzero": np.array(0, np.uint16),
    "i32": np.array(0, np.int32),
    "i4": np.array(1, ml_dtypes.int4),
    "f8": np.array(0, ml_dtypes.float8_e4m3fn),
    "c4": np.array([[1, -8], [7, 4]], ml_dtypes.int4),
    "u4": np.array([[1, 15], [7, 0]], ml_dtypes.uint4),
    "uz4": np.array([8, 6], ml_dtypes.uint4),
    "none": np.array(0.0, np.float32),
    "lo": np.array(0, np.uint8),
    "hi": np.array(127, np.uint8),
    "up": np.array(200, np.uint8),
    "c": np.array([[1, -2], [3, 4]], np.int8),
    "c16": np.array([[1, -2]], np.int16),
    "shape": np.array([4, 1]),
    "s3": np.array([0.5, 0.25, 1], np.float32),
    "z3": np.zeros(3, np.int8),
}
Q, DQ = "QuantizeLinear", "DequantizeLinear"


def written(path: Path, nodes: list[Any], opset: int = 21) -> Path:
    names = {name for each in nodes for name in each.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in names}
    return write(path, nodes, {"x": (2, 2)}, constants=constants, opset=opset)


GOOD = {
    "uint8": [node(Q, "x s z", "q"), node(DQ, "q s z", "y")],
    "int8": [node(Q, "x s i", "q"), node(DQ, "q s i", "y")],
    "no zero point": [node(Q, "x s", "q"), node(DQ, "q s", "y")],
    "output type": [node(Q, "x s", "q", output_dtype=TensorProto.INT8), node(DQ, "q s", "y")],
    "16 bits": [node(Q, "x s wide", "q"), node(DQ, "q s wide", "y")],
    "unsigned 16 bits": [node(Q, "x s uwide", "q"), node(DQ, "q s uwide", "y")],
    "16-bit type": [node(Q, "x s", "q", output_dtype=TensorProto.UINT16), node(DQ, "q s uzero", "y")],
    "16-bit constant": [node(DQ, "c16 s", "w"), node("Add", "x w", "y")],
    "view of codes": [
        node(Q, "x s z", "q"),
        node("Transpose", "q", "r"),
        node("Reshape", "r shape", "v"),
        node(DQ, "v s z", "y"),
    ],
    "seven bits": [node(Q, "x s z", "q"), node("Clip", "q lo hi", "r"), node(DQ, "r s z", "y")],
    "constant rounded at run time": [node(Q, "t s z", "q"), node(DQ, "q s z", "r"), node("Add", "x r", "y")],
    "per channel": [node(DQ, "c two", "w", axis=0), node("MatMul", "x w", "y")],
    "per channel of the default axis": [node(DQ, "c two", "w"), node("MatMul", "x w", "y")],
    "per channel, axis from the end": [node(DQ, "c two", "w", axis=-2), node("MatMul", "x w", "y")],
    "4-bit weights": [node(DQ, "c4 two", "w", axis=0), node("MatMul", "x w", "y")],
    "unsigned 4-bit weights": [node(DQ, "u4 two uz4", "w", axis=1), node("MatMul", "x w", "y")],
}


@pytest.mark.parametrize("nodes", GOOD.values(), ids=GOOD)
def test_import_equals_onnxruntime(tmp_path: Path, nodes: list[Any]) -> None:
    path = written(tmp_path / "m.onnx", nodes)
    arrays = [{"x": 40 * each["x"]} for each in samples({"x": (2, 2)}, 8)]
    assert check_against_onnxruntime(path, load(path), arrays) < 1e-5


REFUSED = {
    "per channel": (
        [node(Q, "x two zz", "q"), node(DQ, "q two zz", "y")],
        "found 2 scales for an activation",
    ),
    "type of 8-bit floats": (
        [node(Q, "x s", "q", output_dtype=TensorProto.FLOAT8E4M3FN), node(DQ, "q s", "y")],
        "found output_dtype 17, allowed integers of 8 or 16 bits",
    ),
    "64-bit constant": (
        [node(DQ, "shape s", "w"), node("Add", "x w", "y")],
        "found codes of int64, allowed integers of 4, 8, 16 or 32 bits",
    ),
    "codes of 32 bits": (
        [node(Q, "x s i32", "q"), node(DQ, "q s i32", "y")],
        "found codes of int32, allowed integers of 8 or 16 bits",
    ),
    "4-bit activation": (
        [node(Q, "x s i4", "q"), node(DQ, "q s i4", "y")],
        "found codes of int4, allowed integers of 8 or 16 bits",
    ),
    "8-bit float": (
        [node(Q, "x s f8", "q"), node(DQ, "q s f8", "y")],
        "found codes of float8_e4m3fn, allowed integers of 8 or 16 bits",
    ),
    "blocks": ([node(Q, "x s z", "q", block_size=2), node(DQ, "q s z", "y")], "found block-wise scales"),
    "another scale": (
        [node(Q, "x s z", "q"), node(DQ, "q t z", "y")],
        "found scale 0.25 for codes of scale 0.5",
    ),
    "no scale": ([node(Q, "x none z", "q"), node(DQ, "q none z", "y")], "found a scale that is not positive"),
    "arithmetic": (
        [node(Q, "x s z", "q"), node("Softmax", "q", "r"), node(DQ, "r s z", "y")],
        "found arithmetic on the codes of a QuantizeLinear",
    ),
    "limits": (
        [node(Q, "x s z", "q"), node("Clip", "q up hi", "r"), node(DQ, "r s z", "y")],
        "found codes from 72 to -1, allowed low <= high",
    ),
    "float codes": ([node(DQ, "x s z", "y")], "found codes that no QuantizeLinear made"),
    "scales of an axis": (
        [node(DQ, "c s3 z3", "w", axis=0), node("MatMul", "x w", "y")],
        "found 3 scales for axis 0 of (2, 2), allowed 1 or 2",
    ),
    "scales as a column": (
        [node(DQ, "c column zz", "w", axis=0), node("MatMul", "x w", "y")],
        "found scales of shape (2, 1), allowed one number, or a row of one per channel",
    ),
    "zero points as a column": (
        [node(DQ, "c two zcolumn", "w", axis=0), node("MatMul", "x w", "y")],
        "found zero points of shape (2, 1), allowed one number, or a row of one per channel",
    ),
    "columns of an activation": (
        [node(Q, "x s z1", "q"), node(DQ, "q s z1", "y")],
        "found zero points of shape (1, 1), allowed one number, or a row of one per channel",
    ),
}


@pytest.mark.parametrize(("nodes", "found"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, nodes: list[Any], found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnx.checker.check_model", lambda model: None)
    with pytest.raises(UnsupportedModel) as error:
        load(written(tmp_path / "m.onnx", nodes))
    assert found in error.value.what and error.value.notes


CONTRIB = "com.microsoft"
STATIC, DYNAMIC = "quantise with quant_format=QuantFormat.QDQ", "quantise statically: quantise with"
# One node of each kind by the type that its error names, its operands and the beginning of the remedy.
OTHER_FORMATS = {
    "com.microsoft.QAttention": (f"{CONTRIB}.QAttention", "q c s s s", STATIC),
    "MatMulInteger": ("MatMulInteger", "q c z", DYNAMIC),
    "ConvInteger": ("ConvInteger", "q c z", DYNAMIC),
    "com.microsoft.DynamicQuantizeMatMul": (f"{CONTRIB}.DynamicQuantizeMatMul", "x c s", DYNAMIC),
    "TrueIntegerDiv": ("TrueIntegerDiv", "x x", "export this op in floating point"),
}


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_other_formats_are_refused_with_the_remedy(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnx.checker.check_model", lambda model: None)
    kind, operands, remedy = OTHER_FORMATS[name]
    nodes = [node(Q, "x s z", "q"), node(kind, operands, "y")]
    with pytest.raises(UnsupportedModel) as error:
        load(written(tmp_path / "m.onnx", nodes))
    assert error.value.where == f"node_y ({name})" and "allowed ops on real numbers" in error.value.what
    assert remedy in error.value.notes[0]


def test_dynamic_quantisation_is_refused_with_the_remedy(tmp_path: Path) -> None:
    quantize_dynamic(write_mlp(tmp_path / "m.onnx"), tmp_path / "q.onnx")
    with pytest.raises(UnsupportedModel) as error:
        load(tmp_path / "q.onnx")
    assert "(DynamicQuantizeLinear)" in error.value.where
    assert any("quantise statically" in note and "QuantFormat.QDQ" in note for note in error.value.notes)


def test_a_wrong_import_is_noticed(tmp_path: Path) -> None:
    path = written(
        tmp_path / "m.onnx", [node("Mul", "x t", "a"), node(Q, "a s z", "q"), node(DQ, "q s z", "y")]
    )
    wrong = written(
        tmp_path / "w.onnx", [node("Mul", "x s", "a"), node(Q, "a s z", "q"), node(DQ, "q s z", "y")]
    )
    arrays = [{"x": 40 * each["x"]} for each in samples({"x": (2, 2)}, 2)]
    with pytest.raises(UnsupportedModel, match=r"node_q: found a value .* steps from the code"):
        check_against_onnxruntime(path, load(wrong), arrays)
    behind = [node(Q, "x s z", "q"), node(DQ, "q s z", "r"), node("Mul", "r t", "y")]
    path = written(tmp_path / "m.onnx", behind)
    wrong = written(tmp_path / "w.onnx", [*behind[:2], node("Mul", "r s", "y")])
    with pytest.raises(UnsupportedModel, match="output y: found a difference of"):
        check_against_onnxruntime(path, load(wrong), arrays)


def test_scales_of_weights(tmp_path: Path) -> None:
    path = written(tmp_path / "m.onnx", GOOD["per channel"])
    imported = load_model(path)
    assert imported.weight_scales == (0.25, 0.5)
    assert all(op.kind is not OpKind.FAKE_QUANTISE for op in imported.graph.ops)
