"""How much louder than those of the calibration windows may be, and what that needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer, windows
from tmc.ir.attrs import Attrs, LayerNormAttrs
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import Array
from tmc.passes.accuracy.agreement import integer_outputs, output_agreement
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_loudness import choose_loudness
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.residual_scales import loud_magnitudes
from tmc.passes.scales.value_roles import value_roles

GRAPH = transformer(Size(layers=1))
WINDOWS = windows(GRAPH, 16)


def chosen(graph: Graph, ranges: Ranges, recipe: Recipe = DEFAULT) -> float:
    return choose_loudness(graph, ranges, value_roles(graph), recipe)


def agreement(loudness: float, recipe: Recipe) -> float:
    """Return in dB how near integers are to float on new windows so many times as loud."""
    integer = quantise(GRAPH, choose_scales(GRAPH, calibrate(GRAPH, {"emg": WINDOWS}), recipe))
    samples = [{"emg": (loudness * window).astype(np.float32)} for window in windows(GRAPH, 8, seed=9)]
    return output_agreement([interpret(GRAPH, each) for each in samples], integer_outputs(integer, samples))


def test_louder_windows_cost_nothing_where_a_norm_takes_their_size_away() -> None:
    ranges = calibrate(GRAPH, {"emg": WINDOWS})
    assert choose_scales(GRAPH, ranges).loudness == 8.0
    plain = replace(DEFAULT, loudness=1.0)
    assert choose_scales(GRAPH, ranges, plain).loudness == 1.0
    assert agreement(5.0, DEFAULT) > 28 > agreement(5.0, plain)
    assert agreement(7.5, DEFAULT) > 28 > agreement(7.5, plain) + 8
    assert agreement(1.0, DEFAULT) > agreement(1.0, plain) - 0.3


@pytest.mark.parametrize("most", [1.0, 4.0])
def test_the_recipe_says_how_loud_at_most(most: float) -> None:
    assert chosen(GRAPH, calibrate(GRAPH, {"emg": WINDOWS}), replace(DEFAULT, loudness=most)) == most


def scaled(windows_of: Array, quiet: float, of: int) -> dict[str, Array]:
    """Return windows of which every one but each `of`th is so much quieter."""
    loud = (np.arange(len(windows_of)) % of == 0)[:, None, None, None]
    return {"emg": np.where(loud, windows_of, quiet * windows_of).astype(np.float32)}


def test_quiet_windows_keep_their_steps() -> None:
    """Room above is steps lost below: where most windows are a hundredth as loud, those steps are needed."""
    quiet = {
        name: array if name != "embedded.b" else 0 * array  # no positions, which would be louder
        for name, array in GRAPH.constants.items()
    }
    graph = replace(GRAPH, constants=quiet)
    found = [chosen(graph, calibrate(graph, scaled(WINDOWS, by, of=8))) for by in (1.0, 0.1, 0.01)]
    assert found[0] == 8.0 and found[2] == 1.0 and found == sorted(found, reverse=True)


def without_norms() -> Graph:
    b = GraphBuilder.seeded(0)
    b.linear("logits", b.gelu("a", b.linear("first", b.input("emg", 8, 20), 24)), 4)
    return b.graph(("emg",), ("logits",))


def read_by_a_function() -> Graph:
    b = GraphBuilder.seeded(0)
    x = b.input("emg", 8, 24)
    narrow = b.op(OpKind.RELU, "positive", b.linear("front", x, 24), attrs=Attrs())
    y = b.layernorm("n", b.add("sum", b.linear("first", narrow, 24), b.linear("second", x, 24)))
    b.linear("logits", y, 4)
    return b.graph(("emg",), ("logits",))


def normed_by(epsilon: float) -> Graph:
    b = GraphBuilder.seeded(0)
    y = b.layernorm("n", b.linear("first", b.input("emg", 8, 20), 24))
    b.linear("logits", y, 4)
    graph = b.graph(("emg",), ("logits",))
    attrs = LayerNormAttrs(epsilon)
    ops = tuple(replace(op, attrs=attrs) if op.output == "n" else op for op in graph.ops)
    return replace(graph, ops=ops)


@pytest.mark.parametrize(
    ("graph", "loudness"),
    [
        (without_norms(), 1.0),
        (read_by_a_function(), 1.0),  # int8 behind the function clips whatever the stream holds
        (normed_by(1e-5), 8.0),
        (normed_by(1e4), 1.0),  # divides by 100, whatever the row
    ],
    ids=["no norm", "a function of the input", "norm", "norm of a large epsilon"],
)
def test_only_where_a_norm_is_all_that_hears_the_input(graph: Graph, loudness: float) -> None:
    samples = np.random.default_rng(3).standard_normal((6, *graph.types["emg"].shape)).astype(np.float32)
    assert chosen(graph, calibrate(graph, {"emg": samples})) == loudness


def test_what_comes_out_of_norms_does_not_grow() -> None:
    """The stream of a deep network is made of branches mostly: little of it needs room."""
    ranges = calibrate(GRAPH, {"emg": WINDOWS})
    loud = loud_magnitudes(GRAPH, ranges)
    assert loud["emg"] == ranges.values["emg"].magnitude
    assert loud["embedded"] == ranges.values["embedded"].magnitude
    branches = [op.output for op in GRAPH.ops if op.output.endswith((".out", ".narrow"))]
    assert branches and all(loud[name] == 0.0 for name in branches)
    assert loud["0.after_mlp"] == loud["0.after_attention"] == loud["embedded"]
    scales = choose_scales(GRAPH, ranges)
    most = max(
        ranges.values[name].magnitude + 7 * loud[name]
        for name in ("embedded", "0.after_attention", "0.after_mlp")
    )
    assert scales.quants["embedded"].scale == (most / 32767,)
