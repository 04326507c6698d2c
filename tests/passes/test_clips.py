"""Clips of float graphs: where they move, what they follow from, and their integer forms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import graph_of, normal, same_numbers
from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.ir.errors import QuantisationError
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.graph import Graph, OpKind, producers
from tmc.ir.interpret import interpret
from tmc.ir.types import DType
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.canonical.fold_gather import fold_gather
from tmc.passes.canonical.relu_as_clip import relu_as_clip
from tmc.passes.canonical.sink_clips import sink_clips
from tmc.passes.canonical.value_bounds import value_bounds
from tmc.passes.declared.adopt_scales import Declared
from tmc.passes.declared.keep_ranges import keep_ranges
from tmc.passes.declared.place_clips import place_clips
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_forms import choose_forms
from tmc.passes.scales.choose_scales import choose_scales

ENDS = {"low": -0.5, "high": 0.75}
LINEAR = {"w": normal(4, 8), "b": normal(1, 4)}


def kinds(graph: Graph) -> list[str]:
    return [op.kind.value for op in graph.ops]


@pytest.mark.parametrize("start", ["c = clip(x, low, high)", "c = relu(x)"])
def test_constants_pass_clips_and_the_views_between(start: str) -> None:
    graph = graph_of(
        f"""{start}
        t = transpose(c) {{permutation=(1, 0)}}
        r = reshape(t) {{shape=(2, 2, 6)}}
        a = add(r, pos)
        y = sub(a, one)""",
        (6, 4),
        {**ENDS, "pos": normal(2, 1, 6), "one": 1.0},
    )
    once = same_numbers(graph, sink_clips)
    assert kinds(once) == ["transpose", "reshape", "add", "clip", "sub"]
    twice = same_numbers(once, sink_clips)
    assert kinds(twice) == ["transpose", "reshape", "add", "add", "clip"]
    clip = twice.ops[-1]
    assert twice.constants[clip.inputs[2]].max() == (
        UNLIMITED if "relu" in start else pytest.approx((0.75 + graph.constants["pos"] - 1).max())
    )


@pytest.mark.parametrize(
    "lines",
    [
        "c = clip(x, low, high)\nz = add(c, one)\ny = add(z, c)",  # somebody else reads the clip
        "c = tanh(x)\ny = add(c, one)",
        "c = clip(x, low, high)\ny = sub(one, c)",
        "c = clip(x, low, high)\ny = add(c, wide)",  # the sum has another shape
        "y = add(x, one)",
    ],
)
def test_clips_stay_where_they_cannot_move(lines: str) -> None:
    graph = graph_of(lines, (6, 1), {**ENDS, "one": 1.0, "wide": normal(1, 3)})
    assert kinds(same_numbers(graph, sink_clips)) == kinds(graph)


def test_a_gather_of_clipped_columns_is_a_linear_and_a_clip() -> None:
    graph = graph_of(
        """h = linear(x, w, b)
        c = clip(h, low, high)
        y = gather(c) {axis=1, indices=(3, 0), shape=(2,)}""",
        (5, 8),
        {**ENDS, **LINEAR},
    )
    assert kinds(same_numbers(graph, fold_gather, 1e-6)) == ["linear", "clip"]
    wide = graph_of(
        """h = linear(x, w, b)
        c = clip(h, low, high)
        y = gather(c) {axis=1, indices=(3, 0), shape=(2,)}""",
        (5, 8),
        {"low": -np.ones((1, 4)), "high": np.ones((1, 4)), **LINEAR},
    )
    assert kinds(same_numbers(wide, fold_gather)) == ["linear", "clip", "gather"]


def test_only_wide_relus_become_clips() -> None:
    norm = {"g": normal(4), "o": normal(4)}
    for lines, expected in (
        ("h = linear(x, w, b)\nr = relu(h)\ny = layernorm(r, g, o) {epsilon=0.1}", "clip"),
        ("h = linear(x, w, b)\nr = relu(h)\ny = add(r, h)", "clip"),
        ("h = linear(x, w, b)\nm = mean_rows(h) {group_rows=5}\ny = relu(m)", "clip"),
        ("y = relu(x)", "clip"),
        ("h = linear(x, w, b)\nr = relu(h)\ny = linear(r, w2, b)", "relu"),
        ("h = linear(x, w, b)\ny = relu(h)", "relu"),
    ):
        graph = graph_of(lines, (5, 8), {**LINEAR, **norm, "w2": normal(4, 4)})
        found = kinds(same_numbers(graph, relu_as_clip))
        assert [kind for kind in found if kind in ("clip", "relu")] == [expected], lines


@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold(seed: int) -> None:
    random = np.random.default_rng(seed)
    graph = graph_of(
        """c = clip(x, low, high)
        h = linear(c, w, b)
        n = layernorm(x, g, o) {epsilon=0.1}
        s = sigmoid(h)
        t = tanh(x)
        u = gelu(h) {approximate='none'}
        v = silu(h)
        r = relu(h)
        m = mean_rows(h) {group_rows=5}
        a = add(s, u)
        d = clip(a, low, high)
        q = add(v, r)
        y = add(q, d)""",
        (5, 8),
        {**ENDS, **LINEAR, "g": normal(8), "o": normal(8)},
        ("y", "n", "t", "m"),
    )
    bounds = value_bounds(graph)
    assert not np.isfinite(bounds["x"]).any()
    for scale in (0.1, 1.0, 30.0):
        x = (scale * random.standard_normal((5, 8))).astype(np.float32)
        values: dict[str, np.ndarray] = {}
        interpret(graph, {"x": x}, values.__setitem__)
        for name, array in values.items():
            least, most = bounds[name]
            assert least - 1e-5 <= array.min() and array.max() <= most + 1e-5, name


def declared(value: str, low: int, high: int, scale: float = 0.01) -> Declared:
    """Return a rounding of a value with zero point 0."""
    return Declared(f"{value}_rounded", value, FakeQuantiseAttrs(scale, 0, low, high), f"/{value}_q")


def test_no_clip_stands_where_the_graph_keeps_the_range() -> None:
    graph = graph_of(
        "h = linear(x, w, b)\ns = sigmoid(h)\ny = linear(s, w2, b)", (5, 8), {**LINEAR, "w2": normal(4, 4)}
    )
    adopted = {"s": (declared("s", 0, 100),), "h": (declared("h", -100, 120),), "x": (declared("x", -9, 9),)}
    placed, kept = place_clips(graph, adopted)
    assert kinds(placed) == ["clip", "linear", "clip", "sigmoid", "linear"]
    assert kept == {"s_rounded", "h_rounded", "x_rounded"}  # a sigmoid does not leave 0 to 1
    assert [op.output for op in placed.ops] == ["x.clipped", "h.unclipped", "h", "s", "y"]
    narrower, _ = place_clips(graph, {**adopted, "s": (declared("s", 0, 90),)})
    assert kinds(narrower) == ["clip", "linear", "clip", "sigmoid", "clip", "linear"]


def test_inputs_of_an_odd_number_of_elements_are_not_clipped() -> None:
    graph = graph_of(
        "h = reshape(x) {shape=(5, 3)}\ny = linear(h, w, b)", (1, 15), {"w": normal(4, 3), "b": normal(1, 4)}
    )
    placed, kept = place_clips(graph, {"x": (declared("x", -9, 9),)})
    assert kinds(placed) == kinds(graph) and not kept


def integer(graph: Graph, count: int = 6) -> tuple[Graph, list[float]]:
    """Return the integer graph, and the largest error of its output for each sample of the calibration."""
    size = tuple(graph.types["x"].shape)
    samples = {"x": np.random.default_rng(0).standard_normal((count, *size)).astype(np.float32)}
    graph = choose_forms(graph)
    result = quantise(graph, choose_scales(graph, calibrate(graph, samples)))
    errors = []
    for x in samples["x"]:
        found = interpret(result, quantise_inputs(result, {"x": x}))["y"]
        wanted = interpret(graph, {"x": x})["y"]
        errors.append(float(np.abs(dequantise(result.types["y"], found) - wanted).max()))
    return result, errors


@pytest.mark.parametrize(
    ("lines", "constants", "form"),
    [
        # a residual stream, an output of int32, a summand: integer clips
        (
            "h = linear(x, w, b)\nc = clip(h, low, high)\ny = layernorm(c, g, o) {epsilon=0.1}",
            ENDS,
            "qclip s16",
        ),
        ("h = linear(x, w, b)\ny = clip(h, low, high)", ENDS, "qclip s32"),
        (
            "h = linear(x, w, b)\ny = clip(h, low, high)",
            {"low": -np.abs(normal(1, 4)), "high": np.abs(normal(5, 4))},
            "qclip s32",
        ),
        (
            "h = linear(x, w, b)\nk = linear(x, w, b)\nc = clip(h, low, high)\ny = add(k, c)",
            ENDS,
            "qclip s16",
        ),
        ("c = clip(x, low, high)\ny = linear(c, w, b)", ENDS, "qclip s16"),
        # int8 and tables: the limits are in what is there anyway
        ("h = linear(x, w, b)\nc = clip(h, low, high)\nt = tanh(c)\ny = linear(t, w2, b)", ENDS, ""),
        ("h = linear(x, w, b)\nt = tanh(h)\nc = clip(t, low, high)\ny = linear(c, w2, b)", ENDS, ""),
        ("h = linear(x, w, b)\nc = clip(h, low, high)\ny = linear(c, w2, b)", ENDS, ""),
        ("n = layernorm(x, g8, o8) {epsilon=0.1}\nc = clip(n, low, high)\ny = linear(c, w, b)", ENDS, ""),
    ],
)
def test_integer_forms(lines: str, constants: dict[str, float], form: str) -> None:
    graph = graph_of(
        lines,
        (5, 8),
        {
            **constants,
            **LINEAR,
            "w2": normal(4, 4),
            "g": np.ones(4),
            "o": np.zeros(4),
            "g8": np.ones(8),
            "o8": np.zeros(8),
        },
    )
    result, errors = integer(graph)
    clips = [op for op in result.ops if op.kind is OpKind.QCLIP]
    assert [f"qclip {result.types[op.output].dtype.value}" for op in clips] == ([form] if form else [])
    assert max(errors) < 0.12, errors


def test_limits_of_channels_before_a_table_are_refused() -> None:
    graph = graph_of(
        "h = linear(x, w, b)\nc = clip(h, low, high)\nt = tanh(c)\ny = linear(t, w2, b)",
        (5, 8),
        {**LINEAR, "w2": normal(4, 4), "low": -np.abs(normal(1, 4)), "high": np.ones((1, 4))},
    )
    with pytest.raises(QuantisationError, match=r"/c: found a clip from .* to 1 before an activation"):
        integer(graph)


def test_int8_limits_of_channels_are_a_clip_of_their_own() -> None:
    ends = {"low": -np.abs(normal(1, 4)), "high": np.full((1, 4), 0.5)}
    graph = graph_of(
        "h = linear(x, w, b)\nt = tanh(h)\nc = clip(t, low, high)\ny = linear(c, w2, b)",
        (5, 8),
        {**LINEAR, **ends, "w2": normal(4, 4)},
    )
    result, errors = integer(graph)
    (clip,) = (op for op in result.ops if op.kind is OpKind.QCLIP)
    assert result.types[clip.output].dtype is DType.S8 and max(errors) < 0.12


def test_a_range_that_one_of_two_readers_sees_is_kept_for_it() -> None:
    """Fake quantisation before linear ops alone: the residual stream is read past it."""
    graph = graph_of(
        """h = linear(x, w, b)
        f = fake_quantise(h) {scale=0.01, zero_point=0, low=0, high=100}
        k = linear(f, w2, b)
        y = add(h, k)""",
        (5, 8),
        {**LINEAR, "w2": normal(4, 4)},
    )
    samples = [{"x": x} for x in np.random.default_rng(0).standard_normal((6, 5, 8)).astype(np.float32)]
    kept = keep_ranges(graph, choose_forms, samples, meaningful=True)
    made = producers(kept.graph)
    assert (
        made[made["k"].inputs[0]].inputs == ("f",)
        and made["f"].kind is OpKind.CLIP
        and "h" in made["y"].inputs
    )
    assert (kept.declared, kept.clips, kept.cutting, kept.lost) == (1, 1, 1, 0)
    noise = keep_ranges(graph, choose_forms, samples, meaningful=False)
    assert noise.graph == kept.graph  # a range from 0 on is a ReLU


def test_a_range_that_no_op_can_keep_is_refused() -> None:
    graph = graph_of(
        """h = linear(x, w, b)
        f = fake_quantise(h) {scale=0.01, zero_point=0, low=-20, high=30}
        e = neg(f)
        y = add(h, e)""",
        (5, 8),
        LINEAR,
    )

    def canonicalise(graph: Graph) -> Graph:
        """Take what reaches the clip for something else, as a wrong pass would."""
        ends = {name: array for name, array in graph.constants.items() if not name.startswith("f.")}
        lines = "h = linear(x, w, b)\nk = linear(h, w2, b)\ny = add(h, k)"
        return graph_of(lines, (5, 8), {**ends, "w2": normal(4, 4)})

    samples = [{"x": x} for x in np.random.default_rng(0).standard_normal((6, 5, 8)).astype(np.float32)]
    with pytest.raises(QuantisationError, match=r"/h: found values that its quantiser /f clips to -0.2"):
        keep_ranges(graph, canonicalise, samples, meaningful=True)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (
            "q = linear(x, w, b)\nr = rope(q, cos, sin) {heads=2}\nc = clip(r, low, high)\n"
            "y = attention(c, r, v) {heads=2, scale=0.5}",
            "stored by heads",
        ),
        (
            "q = linear(x, w, b)\nr = rope(q, cos, sin) {heads=2}\nc = clip(r, low, high)\n"
            "k = linear(x, w, b)\ns = rope(k, cos, sin) {heads=2}\n"
            "y = attention(c, s, v) {heads=2, scale=0.5}",
            "of a rotated Q or K",
        ),
        (
            "q = linear(x, w, b)\nc = clip(q, low, high)\nr = rope(c, cos, sin) {heads=2}\n"
            "k = linear(x, w, b)\ns = rope(k, cos, sin) {heads=2}\n"
            "y = attention(r, s, v) {heads=2, scale=0.5}",
            "int16 before a rotation",
        ),
    ],
)
def test_clips_within_attention_are_refused_by_name(lines: str, what: str) -> None:
    angles = normal(5, 2)
    constants = {"w": normal(8, 8), "b": normal(1, 8), "cos": np.cos(angles), "sin": np.sin(angles), **ENDS}
    graph = graph_of(f"v = linear(x, w, b)\n{lines}", (5, 8), constants)
    with pytest.raises(QuantisationError, match=what) as error:
        integer(graph)
    assert error.value.where == "/c" and error.value.notes
