"""hold_constants: learned queries, and constants for each element of a sum."""

from __future__ import annotations

import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.hold_constants import hold_constants
from tmc.passes.pipeline import run_passes

CONSTANTS = {
    **{"q": normal(3, 4), "all": normal(6, 4), "row": normal(1, 4), "column": normal(6, 1), "one": 2.0},
    "bias": normal(1, 6, 6),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "y = attention(q, x, x) {heads=2, scale=0.5}",
            ["concat = concat(q) {axis=0}", "y = attention(concat, x, x) {heads=2, scale=0.5}"],
        ),
        (
            "y = attention(x, x, x, bias) {heads=2, scale=0.5}",
            ["y = attention(x, x, x, bias) {heads=2, scale=0.5}"],
        ),
        ("y = add(x, all)", ["concat = concat(all) {axis=0}", "y = add(x, concat)"]),
        ("y = sub(all, x)", ["concat = concat(all) {axis=0}", "y = sub(concat, x)"]),
        ("y = mul(x, all)", ["y = mul(x, all)"]),
        ("y = add(x, row)", ["y = add(x, row)"]),
        ("y = add(x, column)", ["y = add(x, column)"]),
        ("y = mul(x, one)", ["y = mul(x, one)"]),
        ("y = add(all, all)", ["y = add(all, all)"]),
    ],
)
def test_constants_become_values(text: str, expected: list[str]) -> None:
    assert body(same_numbers(graph_of(text, (6, 4), CONSTANTS), hold_constants)) == expected


def test_learned_queries() -> None:
    """Projected queries are constants; what differs by row is added behind the linear of int8."""
    constants = {
        "learned": normal(1, 3, 4),
        "wq": normal(4, 4),
        "wk": normal(4, 4),
        "wv": normal(4, 4),
        "wo": normal(4, 4),
    }
    split = "r{0} = reshape(m{0}) {{shape=({1}, 2, 2)}}\n h{0} = transpose(r{0}) {{permutation={2}}}\n"
    text = (
        "mq = matmul(learned, wq)\n mk = matmul(x, wk)\n mv = matmul(x, wv)\n"
        + split.format("q", 3, (1, 0, 2))
        + split.format("k", 6, (1, 2, 0))
        + split.format("v", 6, (1, 0, 2))
        + "s = matmul(hq, hk)\n p = softmax(s) {axis=2}\n a = matmul(p, hv)\n"
        "t = transpose(a) {permutation=(1, 0, 2)}\n f = reshape(t) {shape=(1, 3, 4)}\n"
        "o = matmul(f, wo)\n y = add(o, learned)"
    )
    graph = graph_of(text, (1, 6, 4), constants)
    after = same_numbers(graph, lambda before: run_passes(before, CANONICALISE), 1e-5)
    kinds = [op.kind.value for op in after.ops if op.kind.value != "reshape"]
    # x once in int8 for keys and values; queries go through a linear of ones, which writes the heads
    assert kinds == ["concat", "convert", "linear", "linear", "linear", "attention", "linear", "add"]
