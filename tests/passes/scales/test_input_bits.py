"""The input has as many bits as the ops behind it leave room for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer, windows
from tmc.ir import attrs as a
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.input_bits import calibrated_code, input_bits
from tmc.passes.scales.value_roles import value_roles


def stem(depth: int, fill: float = 1.0) -> Graph:
    """Return a network whose first op sums `depth` inputs; fill: the share of weights that are largest."""
    b = GraphBuilder.seeded(0)
    x = b.op(OpKind.RESHAPE, "rows", b.input("x", 1, 4 * depth), attrs=a.ReshapeAttrs((4, depth)))
    weight = np.where(np.random.default_rng(1).random((6, depth)) < fill, 1.0, 0.0)
    weight[:, 0] = 1.0
    b.op(OpKind.LINEAR, "wide", x, b.constant("w", weight), b.constant("b", np.zeros((1, 6))))
    b.linear("logits", b.layernorm("n", "wide"), 3)
    return b.graph(("x",), ("logits",))


def bits_of(graph: Graph, recipe: Recipe = DEFAULT) -> int:
    ranges = calibrate(graph, {"x": np.random.default_rng(2).standard_normal((3, *graph.types["x"].shape))})
    return input_bits(graph, "x", value_roles(graph), ranges, recipe)


@pytest.mark.parametrize(
    ("depth", "bits"),
    [(4, 16), (8, 16), (9, 15), (16, 15), (17, 14), (33, 13), (589, 13), (900, 12), (5000, 9), (20_000, 8)],
)
def test_bits_by_how_much_is_summed(depth: int, bits: int) -> None:
    """63 * 127 * depth * 2^(bits - 1) has to stay below 2^31: 8.1 products of 16 bits, 16.3 of 15.

    From 13 bits down multipliers of 3 bits will do: 7 instead of 63.
    """
    assert bits_of(stem(depth)) == bits


def test_small_weights_leave_more_room() -> None:
    assert bits_of(stem(64, fill=0.1)) > bits_of(stem(64))


@pytest.mark.parametrize("bits", [14, 13, 8])
def test_the_recipe_may_ask_for_fewer(bits: int) -> None:
    recipe = DEFAULT.with_settings([f"input_bits={bits}"])
    assert bits_of(stem(4), recipe) == bits and bits_of(stem(589), recipe) == min(bits, 13)


@pytest.mark.parametrize(("bits", "code"), [(16, 16383), (15, 8191), (14, 8191), (13, 4095), (8, 127)])
def test_from_15_bits_on_there_is_room_for_louder_samples(bits: int, code: int) -> None:
    assert calibrated_code(bits) == code


def test_louder_samples_do_not_clip() -> None:
    graph = transformer(Size(layers=1))
    integer = quantise(graph, choose_scales(graph, calibrate(graph, {"emg": windows(graph, 8)})))
    loudest = calibrate(graph, {"emg": windows(graph, 8)}).values["emg"].magnitude
    window = np.full(graph.types["emg"].shape, 1.9 * loudest, dtype=np.float32)
    codes = quantise_inputs(integer, {"emg": window})
    least, most = integer.types["emg"].code_limits
    assert codes["emg"].max() < most
    extreme = np.where(np.arange(window.size).reshape(window.shape) % 3, least, most)
    interpret(integer, {"emg": extreme.astype(np.int16)})  # asserts that every sum stays in int32


def test_all_of_int16_needs_no_limits() -> None:
    graph = stem(4)
    graph = replace(graph, name="narrow")
    samples = {"x": np.random.default_rng(2).standard_normal((3, *graph.types["x"].shape)).astype(np.float32)}
    quant = choose_scales(graph, calibrate(graph, samples)).quants["x"]
    assert quant.bits is None
