"""sink_concats, and class tokens, slices of tokens and joined branches as whole networks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.ir.graph import Graph
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.sink_concats import sink_concats
from tmc.passes.pipeline import run_passes, without

CONSTANTS = {
    "w": normal(4, 5),
    "b": normal(1, 4),
    "token": normal(1, 1, 4),
    "positions": normal(7, 4),
    "tokens": np.repeat(normal(1, 1, 4), 2, axis=0),
    "row": normal(4),
    "two": 2.0,
    "turned": normal(4, 7),
}
TOKENS = (
    "l = linear(x, w, b)\n r = reshape(l) {shape=(1, 6, 4)}\n j = concat(token, r) {axis=1}\n"
    "v = reshape(j) {shape=(7, 4)}\n"
)


def kinds(graph: Graph) -> list[str]:
    """Return the kinds of the ops, without reshapes."""
    return [op.kind.value for op in graph.ops if op.kind.value != "reshape"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TOKENS + "y = add(v, positions)", ["linear", "add", "concat"]),
        (TOKENS + "y = sub(positions, v)", ["linear", "mul", "add", "concat"]),
        (TOKENS + "m = mul(v, two)\n y = add(m, positions)", ["linear", "mul", "add", "concat"]),
        (TOKENS + "y = div(v, row)", ["linear", "mul", "concat"]),
        (
            TOKENS + "t = transpose(v) {permutation=(1, 0)}\n y = add(t, turned)",
            ["linear", "add", "concat", "transpose"],
        ),
        (
            TOKENS + "o = concat(v, positions) {axis=0}\n y = mul(o, row)",
            ["linear", "mul", "concat", "concat"],
        ),
    ],
)
def test_constants_reach_the_parts(text: str, expected: list[str]) -> None:
    assert kinds(same_numbers(graph_of(text, (6, 5), CONSTANTS), sink_concats, 1e-6)) == expected


@pytest.mark.parametrize(
    "text",
    [
        # others read the concatenation, or a view of it
        TOKENS + "a = add(v, positions)\n y = add(a, v)",
        TOKENS + "a = add(v, positions)\n s = tanh(j)\n u = reshape(s) {shape=(7, 4)}\n y = add(a, u)",
        # what the parts come from takes no constants in
        "t = tanh(x)\n j = concat(t, t) {axis=0}\n y = mul(j, two)",
        "j = concat(x, x) {axis=0}\n y = mul(j, two)",
        "l = linear(x, w, b)\n y = mul(l, two)",
    ],
)
def test_concatenations_that_stay(text: str) -> None:
    graph = graph_of(text, (6, 5), CONSTANTS)
    assert body(same_numbers(graph, sink_concats)) == body(graph)


def canonical(text: str, shape: tuple[int, ...]) -> list[str]:
    """Return the canonical ops of a network with the same numbers, all rows computed."""
    graph = graph_of(
        text, shape, CONSTANTS | {"k": normal(5, 4), "g": normal(4), "h": normal(4), "o": normal(4, 3)}
    )
    after = same_numbers(graph, lambda before: run_passes(before, without(CANONICALISE, "pick_rows")), 1e-5)
    assert all(len(after.types[op.output].shape) == 2 for op in after.ops if op.kind.value != "reshape")
    return body(after)


CLASS_TOKEN = (
    "m = matmul(x, k)\n j = concat(token, m) {axis=1}\n p = add(j, positions)\n"
    "n = layernorm(p, g, h) {epsilon=0.001}\n"
)


@pytest.mark.parametrize(
    ("head", "indices"),
    [
        ("s = gather(n) {axis=1, indices=(0,), shape=()}\n y = matmul(s, o)", "(0,)"),
        ("s = gather(n) {axis=1, indices=(6,), shape=()}\n y = matmul(s, o)", "(6,)"),
        ("s = slice(n) {starts=(0, 2, 0), ends=(1, 7, 4), steps=(1, 2, 1)}\n y = matmul(s, o)", "(2, 4, 6)"),
    ],
)
def test_a_class_token_and_heads_of_some_rows(head: str, indices: str) -> None:
    lines = canonical(CLASS_TOKEN + head, (1, 6, 5))
    assert lines[1:4] == [
        "linear_0 = linear(reshape_0, linear_0.weight, linear_0.bias)",
        "concat_0 = concat(concat_0.x0, linear_0) {axis=0}",
        "layernorm_0 = layernorm(concat_0, layernorm_0.gamma, layernorm_0.beta) {epsilon=0.001}",
    ]
    assert lines[4].startswith(f"gather_0 = gather(layernorm_0) {{axis=0, indices={indices}, ")


def test_a_class_token_for_each_of_two_windows() -> None:
    text = CLASS_TOKEN.replace("token, m", "tokens, m") + "y = gather(n) {axis=1, indices=(0,), shape=()}"
    lines = canonical(text, (2, 6, 5))
    assert [line.split(" = ")[1].split("(")[0] for line in lines] == [
        "reshape",
        "linear",
        "reshape",
        "concat",
        "reshape",
        "layernorm",
        "gather",
    ]
    assert "{axis=1}" in lines[3] and "indices=(0, 7)" in lines[6]
