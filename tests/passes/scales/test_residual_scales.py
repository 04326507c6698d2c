"""Scales of the residual stream: one per run of sums, and fine enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.networks.post_norm_networks import TOKENS, WIDTH, post_norm
from tests.networks.small_transformer import GraphBuilder, Size, transformer, windows
from tmc.ir.attrs import LayerNormAttrs, MeanRowsAttrs
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import Scales, choose_scales
from tmc.passes.scales.search_range import unseen_margin
from tmc.passes.scales.split_norms import split_norms


def samples(count: int, gain: float = 1.0) -> np.ndarray:
    return (gain * np.random.default_rng(1).standard_normal((count, TOKENS, WIDTH))).astype(np.float32)


def scaled(graph: Graph, gain: float = 1.0) -> tuple[Graph, Ranges, Scales]:
    graph = split_norms(graph)
    ranges = calibrate(graph, {"x": samples(4, gain)})
    return graph, ranges, choose_scales(graph, ranges)


def test_each_norm_of_a_post_norm_network_starts_a_segment() -> None:
    _, ranges, scales = scaled(post_norm())
    segments = [
        ("norm", "0.out", "0.sum1"),
        ("0.norm1", "0.narrow", "0.sum2"),
        ("0.norm2", "1.out", "1.sum1"),
    ]
    found = [{scales.quants[name].scale for name in names} for names in segments]
    assert [len(each) for each in found] == [1, 1, 1]
    for names, (quant,) in zip(segments, found, strict=True):
        stream = max(ranges.values[name].magnitude for name in (names[0], names[2]))
        margin = unseen_margin(ranges.values[names[0]].elements)
        assert quant[0] == pytest.approx(1.25 * margin * stream / 32767, rel=1e-6)


def test_a_pre_norm_stream_has_one_scale() -> None:
    graph = transformer(Size(layers=2))
    quants = choose_scales(graph, calibrate(graph, {"emg": windows(graph, 2)})).quants
    assert len({quants[name].scale for name in ("embedded", "0.after_attention", "1.after_mlp")}) == 1


def test_post_norm_network_is_close_to_float() -> None:
    graph, _, scales = scaled(post_norm())
    integer = quantise(graph, scales)
    window = np.random.default_rng(7).standard_normal((TOKENS, WIDTH)).astype(np.float32)
    expected = interpret(graph, {"x": window})["pooled"]
    codes = interpret(integer, quantise_inputs(integer, {"x": window}))["pooled"]
    noise = dequantise(integer.types["pooled"], codes) - expected
    assert np.square(expected).sum() > 300 * np.square(noise).sum()


def test_an_input_in_a_sum_keeps_its_room() -> None:
    b = GraphBuilder.seeded(0)
    x = b.input("x", TOKENS, WIDTH)
    b.op(OpKind.ADD, "sum", x, b.linear("branch", b.layernorm("n", x), WIDTH, gain=0.01))
    _, ranges, scales = scaled(b.graph(("x",), ("sum",)))
    assert scales.quants["x"] == scales.quants["sum"] == scales.quants["branch"]
    assert scales.quants["x"].scale[0] == pytest.approx(ranges.values["x"].magnitude / 16383)


def norm_of_the_input() -> Graph:
    b = GraphBuilder.seeded(0)
    b.linear("head", b.layernorm("n", b.input("x", TOKENS, WIDTH)), 4)
    return b.graph(("x",), ("head",))


@pytest.mark.parametrize("gain", [3e-3, 1e-4, 1e-6])
def test_epsilon_does_not_make_an_input_coarser(gain: float) -> None:
    _, ranges, scales = scaled(norm_of_the_input(), gain)
    assert scales.quants["x"].scale[0] == pytest.approx(ranges.values["x"].magnitude / 16383)


@pytest.mark.parametrize("epsilon", [1e-5, 1.0, 1e4])
def test_nor_a_mean(epsilon: float) -> None:
    b = GraphBuilder.seeded(0)
    n = b.layernorm("n", b.input("x", TOKENS, WIDTH))
    mean = b.op(OpKind.MEAN_ROWS, "mean", n, attrs=MeanRowsAttrs(TOKENS))
    b.linear("head", b.layernorm("last", mean), 4)
    graph = b.graph(("x",), ("head",))
    attrs = LayerNormAttrs(epsilon)
    ops = tuple(replace(op, attrs=attrs) if op.output == "last" else op for op in graph.ops)
    _, _, scales = scaled(replace(graph, ops=ops))
    assert scales.quants["n"].scale[0] / scales.quants["mean"].scale[0] == pytest.approx(128, rel=1e-3)
