"""Inputs of 8 bits are int8 where every op that reads them takes int8."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder
from tmc.ir import attrs as a
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import Array, DType, Quant
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT
from tmc.passes.scales.choose_forms import choose_forms
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.narrow_inputs import narrow_inputs

EIGHT = DEFAULT.with_settings(["input_bits=8"])


def through_rows(b: GraphBuilder, columns: int) -> str:
    """Return the input x as rows of so many columns."""
    x = b.input("x", 1, 6 * columns)
    return b.op(OpKind.RESHAPE, "rows", x, attrs=a.ReshapeAttrs((6, columns)))


def linear(columns: int = 8, groups: int = 1) -> Graph:
    b = GraphBuilder.seeded(0)
    b.linear("y", through_rows(b, columns), 5, groups=groups)
    return b.graph(("x",), ("y",))


def other_readers(kind: str) -> Graph:
    """Return a network in which a linear reads the input, and something else."""
    b = GraphBuilder.seeded(0)
    x = b.input("x", 6, 8)
    b.linear("y", x, 8)
    if kind == "layernorm":
        b.linear("z", b.layernorm("n", x), 4)
    else:
        b.op(OpKind.ADD, "z", x, "y")
    return b.graph(("x",), ("z",) if kind == "add" else ("y", "z"))


def smoothed() -> Graph:
    """Return a convolution over rows of the input."""
    b = GraphBuilder.seeded(0)
    x, noise = b.input("x", 6, 8), np.random.default_rng(1)
    weight = b.constant("w", noise.standard_normal((8, 3)))
    b.op(OpKind.DEPTHWISE_ROWS, "smooth", x, weight, b.constant("v", noise.standard_normal(8)))
    b.linear("y", "smooth", 4)
    return b.graph(("x",), ("y",))


@pytest.mark.parametrize(
    ("build", "is_narrow"),
    [
        (linear, True),
        (lambda: linear(columns=6), False),  # rows of no whole words
        (lambda: linear(groups=3), False),  # a bias for each group of rows
        (lambda: other_readers("layernorm"), False),
        (lambda: other_readers("add"), False),
        (smoothed, True),
    ],
)
def test_readers_decide(build: Callable[[], Graph], is_narrow: bool) -> None:
    graph = build()
    wanted = {"x"} if is_narrow else frozenset()
    assert narrow_inputs(graph, EIGHT, ()) == narrow_inputs(graph, DEFAULT, {"x"}) == wanted
    assert narrow_inputs(graph, DEFAULT, ()) == narrow_inputs(graph, DEFAULT, {"y"}) == frozenset()


def windows(graph: Graph) -> Array:
    return np.random.default_rng(2).standard_normal((4, *graph.types["x"].shape)).astype(np.float32)


def integer(graph: Graph, stated: dict[str, Quant] | None = None, eight: bool = False) -> Graph:
    recipe = EIGHT if eight else DEFAULT
    ranges = calibrate(graph, {"x": windows(graph)})
    return quantise(graph, choose_scales(graph, ranges, recipe, stated or {}), recipe)


@pytest.mark.parametrize("build", [linear, smoothed])
@pytest.mark.parametrize("stated", [{}, {"x": Quant((0.02,), 11)}])
def test_results_are_those_of_the_rounded_input(build: Callable[[], Graph], stated: dict[str, Quant]) -> None:
    graph = build()
    made = integer(graph, stated, eight=not stated)
    kind = made.types["x"]
    assert kind.dtype is DType.S8 and (not stated or kind.quant == stated["x"])
    codes = quantise_inputs(made, {"x": windows(graph)[0]})
    assert codes["x"].dtype == np.int8
    rounded = dequantise(kind, codes["x"]).astype(np.float32)
    found = dequantise(made.types["y"], interpret(made, codes)["y"])
    exact = interpret(graph, {"x": rounded})["y"]
    assert np.abs(found - exact).max() < 0.03 * np.abs(exact).max()


def test_eight_bits_stay_int16_for_other_readers() -> None:
    kind = integer(other_readers("layernorm"), eight=True).types["x"]
    assert kind.dtype is DType.S16 and kind.code_limits == (-128, 127)


@pytest.mark.parametrize("eight", [True, False])
def test_an_input_is_converted_where_int8_is_read(eight: bool) -> None:
    made = integer(choose_forms(smoothed()), eight=eight)
    assert made.types["x"].dtype is (DType.S8 if eight else DType.S16)
    first = next(op for op in made.ops if op.inputs[0] == "x")
    assert first.kind is (OpKind.RESHAPE if eight else OpKind.QCONVERT)  # a view where it is int8 already


def test_a_clip_where_the_codes_end_is_no_op() -> None:
    b = GraphBuilder.seeded(0)
    x, quant = b.input("x", 6, 8), Quant((0.02,), 11)
    ends = [b.constant(f"c{code}", np.array(0.02 * (code - 11))) for code in (-128, 127)]
    b.linear("y", b.op(OpKind.CLIP, "clipped", x, *ends), 5)
    made = integer(b.graph(("x",), ("y",)), {"x": quant})
    assert [op.kind for op in made.ops] == [OpKind.RESHAPE, OpKind.QLINEAR]
