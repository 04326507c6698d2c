"""Integer forms of convolution over time, interpolation, exchanged axes; ReLU by saturation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.networks.small_transformer import GraphBuilder
from tmc.ir import attrs as a
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind, producers
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.interpret import interpret
from tmc.ir.types import DType
from tmc.ir.verify import verify
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.integer_ops.interpolation import interpolation_table
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import Scales, choose_scales
from tmc.passes.scales.value_roles import Role

Values = Mapping[str, NDArray[Any]]


def depthwise(b: GraphBuilder, output: str, x: str, taps: int = 3) -> str:
    """Add a convolution over the rows of x."""
    columns = b.types[x].shape[1]
    weight = b.constant(f"{output}.w", b.generator.normal(0, taps**-0.5, (columns, taps)))
    bias = b.constant(f"{output}.b", b.generator.normal(0, 0.3, columns))
    return b.op(OpKind.DEPTHWISE_ROWS, output, x, weight, bias)


def regression() -> Graph:
    """Return the regression head over 3 channels of 6 patches of 8 columns, to 4 results of 20 samples."""
    b = GraphBuilder.seeded(1)
    tokens = b.layernorm("norm", b.linear("embedded", b.input("x", 18, 10), 8))
    turned = b.op(OpKind.PERMUTE_ROWS, "turned", tokens, attrs=a.PermuteRowsAttrs(3))
    grid = b.op(OpKind.RESHAPE, "grid", turned, attrs=a.ReshapeAttrs((6, 24)))
    first = b.op(OpKind.SILU, "first", b.linear("wide", grid, 16))
    second = b.op(OpKind.SILU, "second", depthwise(b, "conv", first))
    track = b.linear("track", second, 4)
    longer = b.op(OpKind.INTERPOLATE_ROWS, "longer", track, attrs=a.InterpolateRowsAttrs(20))
    b.op(OpKind.TRANSPOSE, "y", longer, attrs=a.TransposeAttrs((1, 0)))
    return b.graph(("x",), ("y",))


def quantised(graph: Graph, recipe: Recipe = DEFAULT) -> tuple[Scales, Graph]:
    """Return scales from seeded windows, and the integer graph."""
    windows = np.random.default_rng(4).standard_normal((16, *graph.types["x"].shape)).astype(np.float32)
    scales = choose_scales(graph, calibrate(graph, {"x": windows}), recipe)
    integer = quantise(graph, scales, recipe)
    verify(integer)
    return scales, integer


def both(graph: Graph, integer: Graph) -> tuple[Values, Values]:
    """Return the values of a calibration window in float, and the numbers that the codes stand for."""
    x = {"x": np.random.default_rng(4).standard_normal(graph.types["x"].shape).astype(np.float32)}
    real: dict[str, NDArray[Any]] = {}
    codes: dict[str, NDArray[Any]] = {}
    interpret(graph, x, real.__setitem__)
    interpret(integer, quantise_inputs(integer, x), codes.__setitem__)
    return real, {name: dequantise(integer.types[name], array) for name, array in codes.items()}


def noise_db(expected: NDArray[Any], found: NDArray[Any]) -> float:
    """Return the signal-to-noise ratio."""
    return float(10 * np.log10(np.square(expected).sum() / np.square(expected - found).sum()))


def test_regression_head() -> None:
    graph = regression()
    scales, integer = quantised(graph)
    assert scales.roles == {
        **{"x": Role.INPUT, "embedded": Role.RESIDUAL, "norm": Role.ACTIVATION, "turned": Role.ACTIVATION},
        **{"grid": Role.ACTIVATION, "wide": Role.TABLE_INPUT, "first": Role.ACTIVATION},
        **{"conv": Role.TABLE_INPUT, "second": Role.ACTIVATION, "track": Role.RESIDUAL},
        **{"longer": Role.RESIDUAL, "y": Role.RESIDUAL},
    }
    assert [(op.output, op.kind.value, op.loc) for op in integer.ops[2:]] == [
        ("turned", "permute_rows", "/turned"),
        ("grid", "reshape", "/grid"),
        ("first", "qlinear", "/wide"),
        ("second", "qdepthwise_rows", "/conv"),
        ("track", "qlinear", "/track"),
        ("y", "qinterpolate_rows", "/longer"),
    ]
    made = producers(integer)
    first, y = integer.types["first"].quant, integer.types["y"]
    assert first is not None
    conv = made["second"].attrs
    assert isinstance(conv, QDepthwiseRowsAttrs) and conv.table and conv.zero_point == first.zero_point
    assert made["y"].attrs == QInterpolateRowsAttrs(20, "transposed")
    assert (y.dtype, y.shape) == (DType.S16, (4, 20)) and y.quant == integer.types["track"].quant
    # One scale for the whole range with headroom, and not that of the residual stream before.
    assert y.quant is not None and y.quant.scale != scales.quants["embedded"].scale
    real, found = both(graph, integer)
    assert 0.2 < np.abs(real["y"]).max() / (y.quant.scale[0] * 32767) < 1.0
    assert noise_db(real["y"], found["y"]) > 30
    # The rows at both ends see the padding.
    for rows in (slice(0, 1), slice(1, -1), slice(-1, None)):
        assert noise_db(real["second"][rows], found["second"][rows]) > 25


@pytest.mark.parametrize("activation", [OpKind.RELU, OpKind.TANH, None])
def test_convolution_with_any_activation_or_none(activation: OpKind | None) -> None:
    b = GraphBuilder.seeded(2)
    norm = b.layernorm("norm", b.linear("embedded", b.input("x", 9, 8), 8))
    conv = depthwise(b, "conv", norm, taps=5)
    active = b.op(activation, "active", conv) if activation else conv
    b.linear("y", active, 3)
    graph = b.graph(("x",), ("y",))
    scales, integer = quantised(graph)
    attrs = producers(integer)[active].attrs
    assert isinstance(attrs, QDepthwiseRowsAttrs) and attrs.table is (activation is OpKind.TANH)
    assert scales.roles["conv"] is (Role.TABLE_INPUT if activation else Role.ACTIVATION)
    real, found = both(graph, integer)
    assert noise_db(real["y"], found["y"]) > 28


def test_relu_needs_a_table_where_its_result_is_symmetric() -> None:
    b = GraphBuilder.seeded(3)
    hidden = b.linear("hidden", b.layernorm("norm", b.linear("embedded", b.input("x", 9, 8), 8)), 16)
    b.linear("y", b.op(OpKind.RELU, "active", hidden), 3)
    graph = b.graph(("x",), ("y",))
    noise = []
    for recipe, table in ((DEFAULT, False), (replace(DEFAULT, zero_points=False), True)):
        _, integer = quantised(graph, recipe)
        attrs = producers(integer)["active"].attrs
        assert isinstance(attrs, QLinearAttrs) and attrs.table is table
        real, found = both(graph, integer)
        noise.append(noise_db(real["active"], found["active"]))
    assert noise[0] > noise[1] + 1


def test_transposes_of_the_input_and_of_a_result() -> None:
    b = GraphBuilder.seeded(5)
    rows = b.op(OpKind.TRANSPOSE, "rows", b.input("x", 8, 12), attrs=a.TransposeAttrs((1, 0)))
    track = b.linear("track", b.layernorm("norm", b.linear("embedded", rows, 8)), 3)
    b.op(OpKind.TRANSPOSE, "y", track, attrs=a.TransposeAttrs((1, 0)))
    graph = b.graph(("x",), ("y",))
    scales, integer = quantised(graph)
    assert scales.roles["rows"] is Role.INPUT and scales.quants["rows"] == scales.quants["x"]
    made = producers(integer)
    assert [made[name].kind for name in ("rows", "y")] == [OpKind.TRANSPOSE] * 2
    codes = {"x": np.random.default_rng(6).integers(-4096, 4096, (8, 12)).astype(np.int16)}
    seen: dict[str, NDArray[Any]] = {}
    interpret(integer, codes, seen.__setitem__)
    assert np.array_equal(seen["rows"], codes["x"].T) and np.array_equal(seen["y"], seen["track"].T)


def test_interpolation_read_by_others() -> None:
    b = GraphBuilder.seeded(7)
    stream = b.linear("stream", b.input("x", 6, 8), 8)
    longer = b.op(OpKind.INTERPOLATE_ROWS, "longer", stream, attrs=a.InterpolateRowsAttrs(15))
    branch = b.linear("branch", b.layernorm("norm", longer), 8)
    total = b.op(OpKind.ADD, "total", longer, branch)
    b.op(OpKind.TRANSPOSE, "turned", longer, attrs=a.TransposeAttrs((1, 0)))
    b.linear("y", total, 3)
    graph = b.graph(("x",), ("y", "turned"))
    scales, integer = quantised(graph)
    joined = {scales.quants[name] for name in ("stream", "longer", "turned", "branch", "total")}
    assert len(joined) == 1
    made = producers(integer)
    assert made["longer"].attrs == QInterpolateRowsAttrs(15)
    assert made["turned"].kind is OpKind.TRANSPOSE
    real, found = both(graph, integer)
    assert noise_db(real["y"], found["y"]) > 30 and noise_db(real["turned"], found["turned"]) > 45


@pytest.mark.parametrize(("rows", "out"), [(2, 2), (4, 50), (50, 500), (50, 7), (7, 1), (3, 3)])
def test_interpolation_table(rows: int, out: int) -> None:
    table = interpolation_table("/y", rows, out)
    assert table.dtype == np.int16 and table.shape == (out, 2)
    for t, (index, weight) in enumerate(table.tolist()):
        place = min(
            max(Fraction(2 * t + 1, 2) * rows / out - Fraction(1, 2), Fraction(0)), Fraction(rows - 1)
        )
        assert 0 <= index <= rows - 2 and 0 <= weight <= 2**14
        assert abs(index + Fraction(weight, 2**14) - place) <= Fraction(1, 2**15)


def test_too_many_rows_to_count() -> None:
    with pytest.raises(QuantisationError, match=r"^/y: found 32769 rows .* allowed at most 32768"):
        interpolation_table("/y", 2**15 + 1, 3)


def interpolated_activation(b: GraphBuilder, stream: str) -> None:
    active = b.op(OpKind.SILU, "active", b.linear("hidden", b.layernorm("norm", stream), 8))
    b.op(OpKind.INTERPOLATE_ROWS, "bad", active, attrs=a.InterpolateRowsAttrs(15))


def convolved_stream(b: GraphBuilder, stream: str) -> None:
    b.layernorm("norm", stream)
    depthwise(b, "bad", stream)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (interpolated_activation, "found operand %active as int8 with zero point, allowed int16 input or"),
        (convolved_stream, "found operand %stream as int16 residual stream, allowed int8 with zero point or"),
    ],
)
def test_what_has_no_integer_form_is_refused_by_name(
    build: Callable[[GraphBuilder, str], None], message: str
) -> None:
    b = GraphBuilder.seeded(0)
    build(b, b.linear("stream", b.input("x", 8, 4), 8))
    with pytest.raises(QuantisationError, match=r"^/bad: ") as error:
        quantised(b.graph(("x",), (b.ops[-1].output,)))
    assert error.value.what.startswith(message)
