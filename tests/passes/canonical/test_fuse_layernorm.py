"""fuse_layernorm: the parts in several spellings, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.ir.attrs import LayerNormAttrs
from tmc.passes.canonical.fuse_layernorm import fuse_layernorm
from tmc.passes.pipeline import Declined

MEAN = "{axes=(2,), keepdims=True}"
CENTRE = f"m = reduce_mean(x) {MEAN}\n c = sub(x, m)\n"
VARIANCE = f"s = pow(c, two)\n v = reduce_mean(s) {MEAN}\n e = add(v, eps)\n"
SQUARED_AGAIN = (
    f"m2 = reduce_mean(x) {MEAN}\n c2 = sub(x, m2)\n s = mul(c2, c2)\n v = reduce_mean(s) {MEAN}\n"
)
CONSTANTS = {
    "two": 2.0,
    "eps": 1e-3,
    "half": 0.5,
    "minus": -0.5,
    "one": 1.0,
    "tiny": 1e-12,
    "infinite": np.inf,
    "eight": 8.0,
    "g": normal(8),
    "b": normal(8) + 1,
    "each": normal(3, 1),
}


@pytest.mark.parametrize(
    "norm",
    [
        f"{CENTRE}{VARIANCE} r = sqrt(e)\n n = div(c, r)",
        f"{CENTRE}{SQUARED_AGAIN} e = add(eps, v)\n r = pow(e, half)\n n = div(c, r)",
        f"{CENTRE}{VARIANCE} r = sqrt(e)\n i = div(one, r)\n n = mul(c, i)",
        f"{CENTRE}{VARIANCE} i = pow(e, minus)\n n = mul(i, c)",
    ],
)
@pytest.mark.parametrize("tail", ["w = mul(n, g)\n y = add(w, b)", "w = mul(g, n)\n y = add(b, w)"])
def test_parts_become_layernorm(norm: str, tail: str) -> None:
    after = same_numbers(graph_of(f"{norm}\n{tail}", (2, 3, 8), CONSTANTS), fuse_layernorm, 1e-6)
    (op,) = after.ops
    epsilon = float(np.float32(1e-3))
    assert body(after) == [f"y = layernorm(x, {op.inputs[1]}, {op.inputs[2]}) {{epsilon={epsilon!r}}}"]
    assert np.array_equal(after.constants[op.inputs[1]], CONSTANTS["g"])
    assert np.array_equal(after.constants[op.inputs[2]], CONSTANTS["b"])


@pytest.mark.parametrize(
    "norm",
    [
        f"s = pow(x, two)\n v = reduce_mean(s) {MEAN}\n e = add(v, eps)\n r = sqrt(e)\n n = div(x, r)",
        f"s = mul(x, x)\n v = reduce_mean(s) {MEAN}\n e = add(eps, v)\n i = pow(e, minus)\n n = mul(i, x)",
        f"s = mul(x, x)\n v = reduce_mean(s) {MEAN}\n e = add(eps, v)\n r = sqrt(e)\n i = div(one, r)\n"
        "n = mul(x, i)",
    ],
)
@pytest.mark.parametrize("tail", ["w = mul(n, g)\n y = add(w, b)", "w = mul(g, n)\n y = add(b, w)"])
def test_parts_that_are_not_centred_become_a_norm_about_zero(norm: str, tail: str) -> None:
    after = same_numbers(graph_of(f"{norm}\n{tail}", (2, 3, 8), CONSTANTS), fuse_layernorm, 1e-6)
    (op,) = after.ops
    assert op.attrs == LayerNormAttrs(float(np.float32(1e-3)), "zero")
    assert np.array_equal(after.constants[op.inputs[1]], CONSTANTS["g"])
    assert np.array_equal(after.constants[op.inputs[2]], CONSTANTS["b"])


@pytest.mark.parametrize(
    ("axes", "size", "moves"),
    [
        ((1,), (3, 1), ["transpose", "layernorm", "transpose"]),
        ((0,), (2, 1, 1), ["transpose", "layernorm", "transpose"]),
        ((1, 2), (3, 8), ["transpose", "reshape", "layernorm", "reshape", "transpose"]),
        ((1, 2), (1, 8), ["transpose", "reshape", "layernorm", "reshape", "transpose"]),
        ((0, 2), (2, 1, 1), ["transpose", "reshape", "layernorm", "reshape", "transpose"]),
    ],
)
def test_norms_over_other_axes(axes: tuple[int, ...], size: tuple[int, ...], moves: list[str]) -> None:
    text = f"{CENTRE}{VARIANCE} r = sqrt(e)\n n = div(c, r)\n w = mul(f, n)\n y = add(w, t)"
    text = text.replace(MEAN, f"{{axes={axes}, keepdims=True}}")
    constants = CONSTANTS | {"f": normal(*size), "t": normal(*size) + 1}
    after = same_numbers(graph_of(text, (2, 3, 8), constants), fuse_layernorm, 1e-6)
    assert [op.kind.value for op in after.ops] == moves


def test_factors_along_other_axes_stay() -> None:
    text = f"{CENTRE}{VARIANCE} r = sqrt(e)\n n = div(c, r)\n y = mul(n, g)"
    text = text.replace(MEAN, "{axes=(1,), keepdims=True}")
    after = same_numbers(graph_of(text, (2, 3, 8), CONSTANTS), fuse_layernorm, 1e-6)
    assert [op.kind.value for op in after.ops] == ["transpose", "layernorm", "transpose", "mul"]


@pytest.mark.parametrize("scaled", ["w = mul(g, x)", "w = mul(x, g)"])
@pytest.mark.parametrize("last", ["i = pow(e, minus)\n y = mul(w, i)", "r = sqrt(e)\n y = div(w, r)"])
def test_the_factor_may_come_first(scaled: str, last: str) -> None:
    text = f"{scaled}\n s = mul(x, x)\n v = reduce_mean(s) {MEAN}\n e = add(v, eps)\n {last}"
    after = same_numbers(graph_of(text, (2, 3, 8), CONSTANTS), fuse_layernorm, 1e-6)
    (op,) = after.ops
    assert op.attrs == LayerNormAttrs(float(np.float32(1e-3)), "zero")
    assert np.array_equal(after.constants[op.inputs[1]], CONSTANTS["g"])


SQUARES = f"s = mul(x, x)\n v = reduce_mean(s) {MEAN}\n"


@pytest.mark.parametrize(
    ("text", "size", "epsilon"),
    [
        # c / |c|, as frameworks write it
        (SQUARES + "e = mul(v, eight)\n r = sqrt(e)\n f = maximum(r, tiny)\n y = div(x, f)", 8, 1e-24),
        (
            SQUARES + "e = mul(eight, v)\n r = sqrt(e)\n f = clip(r, tiny, infinite)\n"
            "l = expand(f) {shape=(2, 3, 8)}\n y = div(x, l)",
            8,
            1e-24,
        ),
        (SQUARES + "e = mul(v, eight)\n f = maximum(tiny, e)\n i = pow(f, minus)\n y = mul(x, i)", 8, 1e-12),
        (SQUARES + "e = mul(v, eight)\n f = add(e, eps)\n r = sqrt(f)\n y = div(x, r)", 8, 1e-3),
        (SQUARES + "r = sqrt(v)\n y = div(x, r)", 1, 0.0),
    ],
)
def test_sums_of_squares_and_floors(text: str, size: int, epsilon: float) -> None:
    after = same_numbers(graph_of(text, (2, 3, 8), CONSTANTS), fuse_layernorm, 1e-6)
    (op,) = after.ops
    assert isinstance(op.attrs, LayerNormAttrs) and op.attrs.about == "zero"
    assert np.isclose(op.attrs.epsilon, epsilon / size, rtol=1e-6, atol=0)
    assert np.array_equal(after.constants[op.inputs[1]], np.full(8, np.float32(size**-0.5)))


def test_factor_stays_apart_if_the_norm_has_another_reader() -> None:
    text = "n = layernorm(x, g, b) {epsilon=0.001}\n w = mul(n, g)\n y = add(w, n)"
    after = same_numbers(graph_of(text, (2, 8), CONSTANTS), fuse_layernorm)
    assert [op.kind.value for op in after.ops] == ["layernorm", "mul", "add"]


@pytest.mark.parametrize(
    "text",
    [
        # the mean of a product, not of a square
        "m = reduce_mean(x) {axes=(1,), keepdims=True}\n c = sub(x, m)\n s = mul(x, c)\n"
        f"v = reduce_mean(s) {MEAN}\n e = add(v, eps)\n r = sqrt(e)\n y = div(c, r)",
        # a factor that differs along another axis
        f"w = mul(x, each)\n s = mul(x, x)\n v = reduce_mean(s) {MEAN}\n e = add(v, eps)\n r = sqrt(e)\n"
        "y = div(w, r)",
        # centred below, not above
        f"{CENTRE}{VARIANCE} r = sqrt(e)\n y = div(x, r)",
        # a floor that signals may reach
        f"{CENTRE} s = mul(c, c)\n v = reduce_mean(s) {MEAN}\n r = sqrt(v)\n m2 = maximum(r, eps)\n"
        "y = div(c, m2)",
        f"{CENTRE} s = mul(c, c)\n v = reduce_mean(s) {MEAN}\n e = maximum(v, eps)\n r = sqrt(e)\n"
        "y = div(c, r)",
        # a ceiling
        f"{CENTRE} s = mul(c, c)\n v = reduce_mean(s) {MEAN}\n r = sqrt(v)\n m2 = clip(r, tiny, one)\n"
        "y = div(c, m2)",
        # another exponent
        f"{CENTRE}{VARIANCE} r = sqrt(e)\n q = sqrt(r)\n y = div(c, q)",
    ],
)
def test_something_else_is_left_alone(text: str) -> None:
    graph = graph_of(text, (2, 3, 8), CONSTANTS)
    declined: list[Declined] = []
    assert body(fuse_layernorm(graph, declined)) == body(graph)
    assert declined and "over the same axes" in declined[0].reason


@pytest.mark.parametrize("factor", [(3, 1), (8, 1), (2, 3, 8), (1, 1, 1)])
def test_only_factors_per_column_are_taken(factor: tuple[int, ...]) -> None:
    text = "n = layernorm(x, g, b) {epsilon=0.001}\n w = mul(n, f)\n y = add(w, s)"
    shape = (2, 8, 8) if factor == (8, 1) else (2, 3, 8)
    graph = graph_of(text, shape, {**CONSTANTS, "f": normal(*factor), "s": 2.0})
    after = same_numbers(graph, fuse_layernorm, 1e-6)
    left = [] if factor == (1, 1, 1) else ["mul", "add"]
    assert [op.kind.value for op in after.ops] == ["layernorm", *left]
