"""sink_views: where element-wise ops, norms and concatenations are computed, and what is left of views."""

from __future__ import annotations

import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.ir.graph import Graph
from tmc.passes.canonical.sink_views import sink_views

TURN = "t = tanh(x)\n r = reshape(t) {shape=(2, 3, 4)}\n p = transpose(r) {permutation=(2, 0, 1)}\n"
BACK = "\n b = transpose(n) {permutation=(1, 2, 0)}\n y = reshape(b) {shape=(6, 4)}"


def kinds(graph: Graph) -> list[str]:
    """Return the kinds of the ops, without reshapes."""
    return [op.kind.value for op in graph.ops if op.kind.value != "reshape"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TURN + "n = gelu(p) {approximate='none'}" + BACK, ['y = gelu(t) {approximate="none"}']),
        (TURN + "n = add(p, p)" + BACK, ["y = add(t, t)"]),
        (TURN + "n = mul(p, c)" + BACK, ["y = mul(t, c.1)"]),
        (TURN + "n = mul(p, one)" + BACK, ["y = mul(t, one)"]),
        # a scalar of rank 3 does not add axes
        (TURN + "n = mul(p, ones)" + BACK, ["y = mul(t, ones.1)"]),
    ],
)
def test_views_sink(text: str, expected: list[str]) -> None:
    graph = graph_of(text, (6, 4), {"c": normal(4, 1, 3), "one": 3.0, "ones": normal(1, 1, 1)})
    assert body(same_numbers(graph, sink_views)) == ["t = tanh(x)", *expected]


@pytest.mark.parametrize("shape", [(4, 4), (4, 6)])
def test_an_output_in_another_order_than_it_is_computed(shape: tuple[int, ...]) -> None:
    """Of a square, the shape does not tell that the order is another."""
    text = "t = transpose(x) {permutation=(1, 0)}\n y = relu(t)"
    after = same_numbers(graph_of(text, shape), sink_views)
    assert kinds(after)[0] == "relu" and after.types["y"].shape == shape[::-1]


def test_layernorm_becomes_2d_and_outputs_keep_shape_and_name() -> None:
    text = "r = reshape(x) {shape=(2, 3, 4)}\n y = layernorm(r, g, b) {epsilon=0.001}"
    after = same_numbers(graph_of(text, (6, 4), {"g": normal(4), "b": normal(4)}), sink_views)
    assert kinds(after) == ["layernorm"] and after.types["y"].shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # another order, a part, a broadcast
        (TURN + "q = reshape(t) {shape=(4, 2, 3)}\n y = add(p, q)", ["tanh", "gather", "add"]),
        (
            "t = tanh(x)\n s = slice(t) {starts=(0, 1), ends=(6, 3), steps=(1, 1)}\n y = tanh(s)",
            ["tanh", "gather", "tanh"],
        ),
        (TURN + "q = reshape(t) {shape=(4, 2, 3)}\n y = add(q, p)", ["tanh", "gather", "add"]),
        (
            "a = slice(x) {starts=(0, 0), ends=(3, 4), steps=(1, 1)}\n t = tanh(a)\n"
            "b = slice(x) {starts=(3, 0), ends=(6, 4), steps=(1, 1)}\n y = add(t, b)",
            ["gather", "tanh", "gather", "add"],
        ),
        # two orders that both differ from the declared one: the first stays
        (
            TURN
            + "u = transpose(r) {permutation=(2, 1, 0)}\n z = reshape(u) {shape=(4, 2, 3)}\n y = add(z, p)",
            ["tanh", "gather", "add", "gather"],
        ),
        ("y = add(x, c)", ["add"]),
        ("t = tanh(x)\n r = reshape(t) {shape=(6, 1, 4)}\n y = add(r, w)", ["tanh", "gather", "add"]),
        (TURN + "y = reshape(p) {shape=(8, 3)}", ["tanh", "gather"]),
        # what was written out once is read from there
        (
            TURN + "f = reshape(p) {shape=(4, 6)}\n n = layernorm(f, g, h) {epsilon=0.001}\n y = add(f, n)",
            ["tanh", "gather", "layernorm", "add"],
        ),
    ],
)
def test_views_that_must_stay(text: str, expected: list[str]) -> None:
    constants = {"w": normal(1, 5, 4), "c": normal(6, 4), "g": normal(6), "h": normal(6)}
    after = same_numbers(graph_of(text, (6, 4), constants), sink_views)
    assert kinds(after) == expected


FIRST = "t = relu(x)\n a = slice(t) {starts=(0, 0, 0), ends=(1, %d, %d), steps=(1, 1, 1)}\n y = mul(t, a)"


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("y = relu(x)", [(6, 4)]),
        ("a = relu(x)\n y = add(a, x)", [(6, 4), (6, 4)]),
        (
            "a = slice(x) {starts=(0, 0, 0), ends=(1, 3, 4), steps=(1, 1, 1)}\n y = mul(x, a)",
            [(6, 4), (6, 4)],
        ),
        # a row for all, a column for all, computed and constant
        (FIRST % (1, 4), [(6, 4), (1, 4)]),
        ("t = relu(x)\n y = mul(t, row)", [(6, 4), (1, 4)]),
        ("t = relu(x)\n y = mul(column, t)", [(6, 1), (6, 4)]),
        (FIRST % (1, 1), [(6, 4), (1, 4)]),
    ],
)
def test_element_wise_ops_of_any_rank_become_2d(text: str, shapes: list[tuple[int, ...]]) -> None:
    graph = graph_of(text, (2, 3, 4), {"row": normal(4), "column": normal(2, 3, 1)})
    after = same_numbers(graph, sink_views)
    assert all(len(after.types[op.output].shape) == 2 for op in after.ops if op.output != "y")
    *_, op = (op for op in after.ops if op.kind.value not in ("reshape", "gather"))
    assert [after.types[name].shape for name in op.inputs] == shapes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a class token before tokens: rows
        (
            "t = tanh(x)\n r = reshape(t) {shape=(1, 6, 4)}\n y = concat(token, r) {axis=1}",
            ["t = tanh(x)", "y.1 = concat(token.1, t) {axis=0}", "y = reshape(y.1) {shape=(1, 7, 4)}"],
        ),
        # channels first: columns
        (
            "t = tanh(x)\n u = relu(x)\n p = transpose(t) {permutation=(1, 0)}\n"
            "q = transpose(u) {permutation=(1, 0)}\n j = concat(p, pad, q) {axis=0}\n"
            "y = transpose(j) {permutation=(1, 0)}",
            ["t = tanh(x)", "u = relu(x)", "y = concat(t, pad.1, u) {axis=1}"],
        ),
        # padding in time, channels first: rows
        (
            "t = tanh(x)\n p = transpose(t) {permutation=(1, 0)}\n j = concat(ends, p, ends) {axis=1}\n"
            "y = transpose(j) {permutation=(1, 0)}",
            ["t = tanh(x)", "y = concat(ends.1, t, ends.2) {axis=0}"],
        ),
        # a token for each of two windows: columns of windows
        (
            "t = tanh(x)\n r = reshape(t) {shape=(2, 3, 4)}\n y = concat(tokens, r) {axis=1}",
            [
                "t = tanh(x)",
                "reshape = reshape(t) {shape=(2, 12)}",
                "y.1 = concat(tokens.1, reshape) {axis=1}",
                "y = reshape(y.1) {shape=(2, 4, 4)}",
            ],
        ),
        # vectors
        (
            "t = tanh(x)\n a = reshape(t) {shape=(24,)}\n u = relu(x)\n b = reshape(u) {shape=(24,)}\n"
            "y = concat(a, b) {axis=0}",
            [
                "t = tanh(x)",
                "u = relu(x)",
                "reshape = reshape(t) {shape=(1, 24)}",
                "reshape.1 = reshape(u) {shape=(1, 24)}",
                "y.1 = concat(reshape, reshape.1) {axis=1}",
                "y = reshape(y.1) {shape=(48,)}",
            ],
        ),
        # parts of one value are a view of it
        (
            "t = tanh(x)\n a = slice(t) {starts=(2, 0), ends=(6, 4), steps=(1, 1)}\n"
            "b = slice(t) {starts=(0, 0), ends=(2, 4), steps=(1, 1)}\n"
            "j = concat(a, b) {axis=0}\n y = relu(j)",
            [
                "t = tanh(x)",
                "y.1 = relu(t)",
                "reshape = reshape(y.1) {shape=(3, 8)}",
                "gather = gather(reshape) {axis=0, indices=(1, 2, 0), shape=(3,)}",
                "y = reshape(gather) {shape=(6, 4)}",
            ],
        ),
    ],
)
def test_concatenations_become_2d(text: str, expected: list[str]) -> None:
    constants = {
        "token": normal(1, 1, 4),
        "pad": normal(2, 6),
        "ends": normal(4, 2),
        "tokens": normal(2, 1, 4),
    }
    after = same_numbers(graph_of(text, (6, 4), constants), sink_views)
    assert body(after) == expected
