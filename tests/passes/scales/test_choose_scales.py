from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer, windows
from tmc.ir import attrs as a
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.text import parse_graph
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.search_range import unseen_margin
from tmc.passes.scales.value_roles import Role

GRAPH = transformer(Size(layers=1))
# Without room for windows louder than those of the calibration, which has tests of its own.
AS_LOUD = replace(DEFAULT, loudness=1.0)


@pytest.fixture(scope="module")
def ranges() -> Ranges:
    return calibrate(GRAPH, {"emg": windows(GRAPH, 8)})


def test_input_scale_follows_from_its_bits_and_largest_magnitude(ranges: Ranges) -> None:
    quants = choose_scales(GRAPH, ranges, AS_LOUD).quants
    assert quants["emg"] == Quant((ranges.values["emg"].magnitude / 8191,), bits=15)
    assert quants["patches"] == quants["emg"]


def test_residual_stream_has_one_scale_with_headroom(ranges: Ranges) -> None:
    scales = choose_scales(GRAPH, ranges, AS_LOUD)
    stream = [name for name, role in scales.roles.items() if role in (Role.RESIDUAL, Role.BRANCH)]
    assert len(stream) == 5
    assert len({scales.quants[name] for name in stream}) == 1
    largest = max(ranges.values[name].magnitude for name in ("embedded", "0.after_attention", "0.after_mlp"))
    margin = unseen_margin(ranges.values["embedded"].elements)
    assert margin > 1.05
    assert scales.quants["embedded"].scale == (pytest.approx(1.25 * margin * largest / 32767),)


HEAD = parse_graph(
    """graph @net(%x: f32[40x16]) {
  %w = constant f32[16x16]
  %b = constant f32[1x16]
  %body.h: f32[40x16] = linear(%x, %w, %b)
  %body: f32[40x16] = gelu(%body.h) {approximate="none"}
  %mean: f32[1x16] = mean_rows(%body) {group_rows=40}
  %head.h: f32[1x16] = linear(%mean, %w, %b)
  %head: f32[1x16] = gelu(%head.h) {approximate="none"}
  %y: f32[1x16] = linear(%head, %w, %b)
  return %y
}""",
    {
        "w": np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32),
        "b": np.ones((1, 16), np.float32),
    },
)


@pytest.mark.parametrize("windows", [2, 12, 48])
def test_features_of_few_windows_keep_their_whole_range(windows: int) -> None:
    # Rare large elements, and one loud window, which a search cuts.
    x = np.random.default_rng(0).standard_t(3, (windows, 40, 16)) * 0.3
    x[1] *= 20
    ranges = calibrate(HEAD, {"x": x.astype(np.float32)})
    found = choose_scales(HEAD, ranges).quants
    whole = choose_scales(HEAD, ranges, Recipe(range_search="min_max")).quants
    assert all(found[name] == whole[name] for name in ("head.h", "head"))
    if windows > 12:  # 40 rows per window are then enough
        assert found["body"].scale < whole["body"].scale


def test_queries_and_keys_have_a_scale_per_head(ranges: Ranges) -> None:
    scales = choose_scales(GRAPH, ranges)
    turned = scales.quants["0.q_turned"]
    assert len(set(turned.scale)) == 3 and turned.per == "head"
    before = scales.quants["0.q"]
    finer = tuple(np.repeat(np.array(turned.scale) / 64, 16).tolist())
    assert before.per == "channel" and before.scale == finer


def test_symmetric_and_with_zero_point(ranges: Ranges) -> None:
    quants = choose_scales(GRAPH, ranges).quants
    for name in ("0.v", "0.attended", "pooled", "0.q_turned", "embedded"):
        assert quants[name].zero_point == 0
    assert quants["0.gelu"].zero_point < -100  # GELU is hardly ever negative
    assert "logits" not in quants


def test_norms_that_linears_read_keep_their_whole_range(ranges: Ranges) -> None:
    """What is rare over all windows may be all there is in one of them; a mean does not see it."""
    values = dict(ranges.values)
    for name in ("0.norm1", "tokens"):
        found = values[name]
        values[name] = replace(found, column_low=20 * found.column_low, column_high=20 * found.column_high)
    tailed = Ranges(values, ranges.samples)
    quants = choose_scales(GRAPH, tailed).quants
    whole = values["0.norm1"].high - values["0.norm1"].low
    margin = unseen_margin(values["0.norm1"].elements)
    assert quants["0.norm1"].scale[0] == pytest.approx(margin * whole / 255)
    assert quants["tokens"].scale[0] < 0.5 * (values["tokens"].high - values["tokens"].low) / 255
    searched = choose_scales(GRAPH, tailed, replace(DEFAULT, norm_range="mse")).quants
    assert searched["0.norm1"].scale[0] < 0.5 * quants["0.norm1"].scale[0]
    assert searched["tokens"] == quants["tokens"]


def test_attention_output_scale_is_an_exact_multiple(ranges: Ranges) -> None:
    quants = choose_scales(GRAPH, ranges).quants
    ratio = quants["0.v"].scale[0] / quants["0.attended"].scale[0]
    mantissa = ratio * 2.0 ** (14 - np.floor(np.log2(ratio)))
    assert mantissa == pytest.approx(round(mantissa), rel=1e-14)


def small_residual(factor: float) -> tuple[Graph, Ranges]:
    """The network with a residual stream `factor` times as large."""
    constants = {
        name: array * np.float32(factor) if name.startswith(("embedded.", "0.out.", "0.narrow.")) else array
        for name, array in GRAPH.constants.items()
    }
    graph = replace(GRAPH, constants=constants)
    return graph, calibrate(graph, {"emg": windows(graph, 4)})


@pytest.mark.parametrize("factor", [0.003, 1e-5])
def test_a_small_residual_stream_is_as_fine_as_any(factor: float) -> None:
    graph, ranges = small_residual(factor)
    (scale,) = choose_scales(graph, ranges, AS_LOUD).quants["embedded"].scale
    largest = max(ranges.values[name].magnitude for name in ("embedded", "0.after_attention", "0.after_mlp"))
    margin = unseen_margin(ranges.values["embedded"].elements)
    assert scale == pytest.approx(1.25 * margin * largest / 32767, rel=1e-6)


def test_rotation_and_attention_must_agree_on_heads(ranges: Ranges) -> None:
    two = a.AttentionAttrs(2, 0.2)
    ops = tuple(replace(op, attrs=two) if op.output == "0.attended" else op for op in GRAPH.ops)
    with pytest.raises(QuantisationError, match=r"^/0\.attended: found attention over 2 heads of"):
        choose_scales(replace(GRAPH, ops=ops), ranges)


def pooled_network(features: int, bias: float, hidden: bool) -> Graph:
    b = GraphBuilder.seeded(0)
    n = b.layernorm("n", b.linear("stream", b.input("x", 4 * features // 16, 4), 16))
    p = b.op(OpKind.MEAN_ROWS, "pooled", n, attrs=a.MeanRowsAttrs(4))
    x = b.op(OpKind.RESHAPE, "features", p, attrs=a.ReshapeAttrs((1, features)))
    if hidden:
        b.op(OpKind.GELU, "gelu", b.linear("hidden", x, 8), attrs=a.GeluAttrs("none"))
        x = "gelu"
    b.linear("logits", x, 4)
    for name in ("hidden", "logits"):
        if f"{name}.b" in b.constants:
            b.constants[f"{name}.w"][:] = np.sign(b.constants[f"{name}.w"]) * np.float32(0.1)
            b.constants[f"{name}.b"][:] = bias
    return b.graph(("x",), ("logits",))


@pytest.mark.parametrize(
    ("features", "bias", "hidden", "bits"),
    [
        (64, 0.0, False, 7),
        (1536, 0.0, False, 6),
        (6144, 0.0, False, 4),
        (1024, 0.0, True, 3),
        (64, 1e3, False, 5),
    ],
)
def test_pooled_steps_follow_from_the_weights_that_read_them(
    features: int, bias: float, hidden: bool, bits: int
) -> None:
    graph = pooled_network(features, bias, hidden)
    # About 128 2^bits features 127 (and 15, if a requantisation follows), or the bias, must fit 31 bits.
    samples = np.random.default_rng(0).standard_normal((4, *graph.types["x"].shape), dtype=np.float32)
    quants = choose_scales(graph, calibrate(graph, {"x": samples})).quants
    assert round(np.log2(quants["n"].scale[0] / quants["pooled"].scale[0])) == bits
