"""Small networks, quantised by onnxruntime's static quantiser, and a plain evaluation of the result."""

from __future__ import annotations

from collections.abc import Iterator
from math import erf
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from tests.networks.onnx_files import node, write

Array = NDArray[Any]
TYPES = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8, "uint16": QuantType.QUInt16}


def samples(shape: tuple[int, ...], count: int, seed: int) -> list[Array]:
    """Return inputs of a network."""
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(np.float32) for _ in range(count)]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, arrays: list[Array]) -> None:
        self._left: Iterator[dict[str, Array]] = iter([{name: array} for array in arrays])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._left, None)


def write_mlp(path: Path, opset: int = 17, seed: int = 0, rows: int = 5) -> Path:
    """Write Gemm, Relu, MatMul, Add, Tanh, Gemm, Sigmoid, MatMul with constants of random size."""
    random = np.random.default_rng(seed)

    def weight(*shape: int) -> Array:
        per_channel = np.exp(random.standard_normal(shape[1:]))
        return (random.standard_normal(shape) * per_channel / shape[0] ** 0.5).astype(np.float32)

    nodes = [
        node("Gemm", "x w1 b1", "h1"),
        node("Relu", "h1", "r1"),
        node("MatMul", "r1 w2", "h2"),
        node("Add", "h2 b2", "a2"),
        node("Tanh", "a2", "t2"),
        node("Gemm", "t2 w3 b3", "h3"),
        node("Sigmoid", "h3", "s3"),
        node("MatMul", "s3 w4", "y"),
    ]
    constants = {
        "w1": weight(20, 24),
        "b1": weight(1, 24)[0],
        "w2": weight(24, 31),
        "b2": weight(1, 31)[0],
        "w3": weight(31, 12),
        "b3": weight(1, 12)[0],
        "w4": weight(12, 8),
    }
    return write(path, nodes, {"x": (rows, 20)}, constants=constants, opset=opset)


def quantise(
    source: Path,
    target: Path,
    per_channel: bool = False,
    activations: str = "uint8",
    arrays: list[Array] | None = None,
    **options: Any,
) -> Path:
    """Quantise a model with onnxruntime and return the path of the result."""
    value = onnx.load(source).graph.input[0]
    shape = tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
    quantize_static(
        source,
        target,
        _Reader(value.name, arrays or samples(shape, 16, 1)),
        quant_format=options.pop("quant_format", QuantFormat.QDQ),
        per_channel=per_channel,
        activation_type=TYPES[activations],
        weight_type=QuantType.QInt8,
        **options,
    )
    return target


def evaluate(path: Path, x: Array) -> dict[str, Array]:
    """Return every tensor of a QDQ file, computed node by node in float64, codes as int64."""
    model = onnx.load(path)
    values: dict[str, Array] = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    values[model.graph.input[0].name] = x
    for each in model.graph.node:
        operands = [values[name] for name in each.input]
        attributes = {item.name: helper.get_attribute_value(item) for item in each.attribute}
        values[each.output[0]] = _NODES[each.op_type](operands, attributes)
    return values


def _along(array: Array, values: Array, attributes: dict[str, Any]) -> Array:
    if values.size == 1:
        return values.reshape(()).astype(np.float64)
    shape = [1] * array.ndim
    shape[attributes.get("axis", 1)] = -1
    return values.reshape(shape).astype(np.float64)


def _quantize(x: list[Array], attributes: dict[str, Any]) -> Array:
    limits = np.iinfo(x[2].dtype)
    codes = np.rint(x[0] / _along(x[0], x[1], attributes)) + _along(x[0], x[2], attributes)
    return np.clip(codes, limits.min, limits.max).astype(x[2].dtype)


def _dequantize(x: list[Array], attributes: dict[str, Any]) -> Array:
    steps = x[0].astype(np.float64) - _along(x[0], x[2], attributes)
    return np.asarray(steps * _along(x[0], x[1], attributes))


def _gemm(x: list[Array], attributes: dict[str, Any]) -> Array:
    weight = x[1].T if attributes.get("transB", 0) else x[1]
    return np.asarray(x[0] @ weight + (x[2] if len(x) > 2 else 0.0))


_NODES: dict[str, Any] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Gemm": _gemm,
    "MatMul": lambda x, _: x[0] @ x[1],
    "Add": lambda x, _: x[0] + x[1],
    "Relu": lambda x, _: np.maximum(x[0], 0),
    "Tanh": lambda x, _: np.tanh(x[0]),
    "Sigmoid": lambda x, _: 1 / (1 + np.exp(-x[0])),
    "Gelu": lambda x, _: 0.5 * x[0] * (1 + np.vectorize(erf)(x[0] / 2**0.5)),
}
