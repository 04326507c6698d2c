"""What lower_declared, requantise_factors and declared_weights refuse, and forms that files of tools do not
have."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto

from tests.networks.onnx_files import node, write
from tmc.frontend.onnx_import import load_model
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared
from tmc.passes.integer_ops.declared_weights import declared_weights
from tmc.passes.integer_ops.linear import CodeRange
from tmc.passes.integer_ops.requantise_factors import requantise_factors

CODES = np.random.default_rng(0).integers(-128, 128, (8, 8)).astype(np.int8)
CONSTANTS: dict[str, Any] = {
    "s": np.array(0.5, np.float32),
    "z": np.array(3, np.int8),
    "t": np.array(2.25, np.float32),
    "n": np.array(-128, np.int8),
    "c": CODES,
    "line": np.linspace(-3, 3, 8).astype(np.float32),
    "some": np.array([1, 0, 2, 3, 4, 5, 6, 7], np.float32),
    "rows": np.arange(4, dtype=np.float32)[:, None],
    "huge": np.array(1e30, np.float32),
    "tiny": np.array(1e-9, np.float32),
    "four": np.array(4.0, np.float32),
    "big": np.array([0, 1, 2, 3, 4, 1e9, 6, 7], np.float32),
    "w": np.linspace(-1, 1, 64).reshape(8, 8).astype(np.float32),
}
INPUT = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "r")]
WEIGHT = [node("DequantizeLinear", "c s", "v"), node("MatMul", "r v", "h")]
END = [node("QuantizeLinear", "h t z", "p"), node("DequantizeLinear", "p t z", "y")]


def end(name: str) -> list[NodeProto]:
    return [node("QuantizeLinear", f"{name} t z", "p"), node("DequantizeLinear", "p t z", "y")]


def lowered(folder: Path, nodes: list[NodeProto]) -> tuple[Graph, Graph]:
    """Return the prepared float graph and the integer graph."""
    used = {name for each in nodes for name in each.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in used}
    imported = load_model(write(folder / "m.onnx", nodes, {"x": (4, 8)}, constants=constants, opset=19))
    plain = prepare_declared(imported.graph)
    return plain, lower_declared(plain, imported.weight_scales)


SAME = {
    "a line per channel": [*INPUT, node("Mul", "r line", "h"), *END],
    "constant less codes": [*INPUT, node("Sub", "line r", "h"), *END],
    "codes over a constant": [*INPUT, node("Div", "r line", "h"), *END],
    "a table of the input": [*INPUT, node("Relu", "r", "h"), *END],
    "a function of two": [*INPUT, node("Sigmoid", "r", "g"), node("Mul", "r g", "h"), *END],
    "relu of sums": [*INPUT, *WEIGHT, node("Relu", "h", "g"), *end("g")],
    "factor of sums": [*INPUT, *WEIGHT, node("Mul", "h line", "g"), *end("g")],
    "float bias": [*INPUT, *WEIGHT, node("Add", "h line", "g"), *end("g")],
    "two readers": [
        *INPUT,
        *WEIGHT,
        *[node("QuantizeLinear", "h four z", "a"), node("DequantizeLinear", "a four z", "b")],
        node("Tanh", "b", "d"),
        node("Mul", "b d", "e"),
        *end("e"),
    ],
}


@pytest.mark.parametrize("nodes", SAME.values(), ids=SAME)
def test_same_codes_as_the_float_graph(tmp_path: Path, nodes: list[NodeProto]) -> None:
    plain, graph = lowered(tmp_path, nodes)
    quant = graph.types["y"].quant
    assert quant is not None
    for seed in range(20):
        x = (20 * np.random.default_rng(seed).standard_normal((4, 8))).astype(np.float32)
        (found,) = interpret(graph, quantise_inputs(graph, {"x": x})).values()
        (real,) = interpret(plain, {"x": x}).values()
        assert np.array_equal(found, np.rint(real / np.float32(quant.scale[0])) + quant.zero_point)


def test_sums_may_be_the_result(tmp_path: Path) -> None:
    plain, graph = lowered(tmp_path, [*INPUT, *WEIGHT[:1], node("MatMul", "r v", "y")])
    assert [op.kind for op in graph.ops] == [OpKind.QLINEAR] and graph.types["y"].dtype.value == "s32"
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    (found,), (real,) = (
        interpret(graph, quantise_inputs(graph, {"x": x})).values(),
        interpret(plain, {"x": x}).values(),
    )
    assert np.array_equal(found * 0.25, real)


REFUSED = {
    "float input": (
        [node("DequantizeLinear", "c s", "v"), node("MatMul", "x v", "h"), *END],
        "input %x, which nothing rounds to codes",
    ),
    "two roundings of the input": (
        [
            *INPUT,
            node("QuantizeLinear", "x t z", "a"),
            node("DequantizeLinear", "a t z", "b"),
            node("Add", "r b", "h"),
            *END,
        ],
        "a second rounding of input %x",
    ),
    "linear of sums": (
        [*INPUT, *WEIGHT, node("MatMul", "h v", "g"), *end("g")],
        "a linear op of a value that is not rounded to codes",
    ),
    "float weights": (
        [*INPUT, node("MatMul", "r w", "h"), *END],
        "weights that the model does not give as integers",
    ),
    "bias per row": ([*INPUT, *WEIGHT, node("Add", "h rows", "g"), *end("g")], "a bias per row"),
    "softmax": ([*INPUT, node("Softmax", "r", "h"), *END], "softmax of a quantised value"),
    "another order": (
        [
            *INPUT,
            node("Transpose", "r", "a"),
            node("Reshape", "a shape", "b"),
            node("DequantizeLinear", "c s", "v"),
            node("MatMul", "b v", "h"),
            *END,
        ],
        "rows of elements in another order",
    ),
    "tanh of sums": (
        [*INPUT, *WEIGHT, node("Tanh", "h", "g"), *end("g")],
        "tanh of a value that is not rounded",
    ),
    "division by zero": ([*INPUT, node("Div", "r some", "h"), *END], "div of a value that is not rounded"),
    "line of no codes": (
        [*INPUT, node("Tanh", "r", "a"), node("Mul", "a line", "h"), *END],
        "mul of a value that is not rounded",
    ),
    "two values": ([*INPUT, *WEIGHT, node("Add", "h r", "g"), *end("g")], "add of two quantised values"),
    "row constants": ([*INPUT, node("Mul", "r rows", "h"), *END], "a constant that differs from row to row"),
    "far too large": (
        [*INPUT, node("Mul", "r huge", "a"), node("Mul", "a line", "h"), *END],
        "found results up to",
    ),
    "a function times a row": (
        [*INPUT, node("Tanh", "r", "a"), node("Mul", "a line", "h"), *END],
        "mul of a value that is not rounded",
    ),
    "no rounding at the end": (
        [*INPUT, node("Tanh", "r", "y")],
        "a value that is not rounded to codes in the order",
    ),
}
CONSTANTS["shape"] = np.array([4, 8])


@pytest.mark.parametrize(("nodes", "found"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, nodes: list[NodeProto], found: str) -> None:
    with pytest.raises(QuantisationError) as error:
        lowered(tmp_path, nodes)
    assert found in error.value.what and error.value.notes


def test_scales_that_do_not_belong_together(tmp_path: Path) -> None:
    last = [node("QuantizeLinear", "h tiny z", "p"), node("DequantizeLinear", "p tiny z", "y")]
    with pytest.raises(QuantisationError, match=r"found results up to .* steps in channel 0, allowed below"):
        lowered(tmp_path, [*INPUT, *WEIGHT, *last])


def test_a_sum_beyond_int32_is_refused(tmp_path: Path) -> None:
    sums = [node("DequantizeLinear", "c s", "v"), node("MatMul", "r v", "g"), node("Add", "g big", "h")]
    with pytest.raises(QuantisationError, match=r"^node_\w: found a bias of channel 5 .* int32") as error:
        lowered(tmp_path, [*INPUT, *sums, *END])
    assert error.value.notes


def test_steep_slopes_of_few_codes() -> None:
    # The shift is 1 at least, because the addend holds half a step.
    steep = Fraction(2**30 - 2**9)
    (row,) = requantise_factors("op", [CodeRange(0, 1)], [steep], [Fraction(0)]).tolist()
    assert row[:2] == [2 * steep, 1]
    with pytest.raises(QuantisationError, match="found results up to"):
        requantise_factors("op", [CodeRange(0, 1)], [Fraction(2**30)], [Fraction(0)])


@pytest.mark.parametrize("shift", [0, 1, 16, 31])
@pytest.mark.parametrize("largest", [1, 127, 2**31 - 1])
def test_factors_of_a_shift_are_its_integers(shift: int, largest: int) -> None:
    room = (2**31 - 2**9 - 1) << shift
    mul = min(room // max(largest, 2), 2**31 - 1)
    add = min(room - max(largest, 2) * mul, 2**31 - 1)
    line = [Fraction(mul, 2**shift)], [Fraction(add, 2**shift)]
    (row,) = requantise_factors("op", [CodeRange(-largest, largest)], *line).tolist()
    assert row[1] >= shift and row[0] == mul << (row[1] - shift)


def test_factors() -> None:
    wide = CodeRange(-(2**31), 2**31 - 1)
    slope = [Fraction(1, 3), Fraction(2, 7) / 2**20, Fraction(0), Fraction(-5, 8)]
    factors = requantise_factors("op", [wide, wide, wide, CodeRange(-128, 127)], slope, [Fraction(1, 2)] * 4)
    for (multiplier, shift, high, low), exact in zip(factors.tolist(), slope, strict=True):
        assert 1 <= shift <= 62 and abs(multiplier) < 2**31
        assert abs(Fraction(multiplier, 2**shift) - exact) <= abs(exact) / 2**30 + Fraction(1, 2**62)
        assert Fraction(high * 2**32 + low % 2**32, 2**shift) == 1


def test_weights_on_a_grid() -> None:
    scales = (0.0078125, 0.013, 0.0371)
    single = np.array([0.013, 0.0371, 0.0078125], np.float32)
    codes = np.array([[-127, 3, 50], [12, -128, 1], [4, 6, 8]])
    weight = codes.astype(np.float32) * single[:, None]
    found = declared_weights(weight, tuple(sorted(float(scale) for scale in single)))
    assert found is not None
    assert np.array_equal(found.codes.astype(np.float32) * found.scale[:, None].astype(np.float32), weight)
    assert declared_weights(weight + np.float32(1e-4), scales) is None
    assert declared_weights(weight, ()) is None
    empty = declared_weights(np.zeros((2, 3), np.float32), scales)
    assert empty is not None and not empty.codes.any()
