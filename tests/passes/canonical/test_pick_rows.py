"""pick_rows: where few rows are read, only they are computed."""

from __future__ import annotations

import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.ir.graph import OpKind
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.pick_rows import pick_rows
from tmc.passes.pipeline import run_passes

CONSTANTS = {
    "w": normal(4, 4),
    "b": normal(1, 4),
    "runs": normal(3, 4),
    "gamma": normal(4),
    "beta": normal(4),
    "row": normal(1, 4),
    "lines": normal(6, 4),
    "column": normal(6, 1),
    "low": -(normal(6, 4) ** 2),
    "high": normal(6, 4) ** 2,
    "cosine": normal(3, 1),
    "sine": normal(3, 2)[:, :1],
    "bias": normal(2, 6, 6),
    "shared": normal(1, 1, 6),
    "token": normal(1, 4),
    "head": normal(5, 4),
    "head_b": normal(1, 5),
}
LAST = "y = gather({}) {{axis=0, indices=(5,), shape=(1,)}}"
TWO = "y = gather({}) {{axis=0, indices=(4, 1), shape=(2,)}}"


@pytest.mark.parametrize("pick", [LAST, TWO])
@pytest.mark.parametrize(
    "step",
    [
        "linear(x, w, b)",
        "linear(x, w, runs)",
        "layernorm(x, gamma, beta) {epsilon=1e-05}",
        "gelu(x) {approximate='none'}",
        "clip(x, low, high)",
        "add(x, row)",
        "mul(x, lines)",
        "mul(x, column)",
        "rope(x, cosine, sine) {heads=2}",
        "gather(x) {axis=1, indices=(3, 0, 3), shape=(3,)}",
        "concat(x, x) {axis=1}",
        "concat(x, lines) {axis=1}",
    ],
)
def test_row_by_row(step: str, pick: str) -> None:
    graph = graph_of(f"v = {step}\n {pick.format('v')}", (6, 4), CONSTANTS)
    after = same_numbers(graph, pick_rows, 1e-6)
    assert [op.kind for op in after.ops] == [OpKind.GATHER, graph.ops[0].kind]
    assert after.types[after.ops[1].output].shape[0] == after.types["y"].shape[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            # a residual stream: everybody wants the same rows
            "a = tanh(x)\n l = linear(a, w, b)\n s = add(x, l)\n n = sigmoid(s)\n m = linear(n, w, b)\n"
            "t = add(s, m)\n" + LAST.format("t"),
            [
                "gather = gather(x) {axis=0, indices=(5,), shape=(1,)}",
                "a.1 = tanh(gather)",
                "l.1 = linear(a.1, w, b)",
                "s.1 = add(gather, l.1)",
                "n.1 = sigmoid(s.1)",
                "m.1 = linear(n.1, w, b)",
                "y = add(s.1, m.1)",
            ],
        ),
        (
            # of attention the queries; what keys are of is needed whole
            "q = linear(x, w, b)\n k = linear(x, w, runs)\n v = tanh(x)\n"
            "t = attention(q, k, v, bias) {heads=2, scale=0.5}\n" + LAST.format("t"),
            [
                "gather = gather(x) {axis=0, indices=(5,), shape=(1,)}",
                "q.1 = linear(gather, w, b)",
                "k = linear(x, w, runs)",
                "v = tanh(x)",
                "y = attention(q.1, k, v, bias.1) {heads=2, scale=0.5}",
            ],
        ),
        (
            "t = attention(x, x, x, shared) {heads=2, scale=0.5}\n" + LAST.format("t"),
            [
                "t = attention(x, x, x, shared) {heads=2, scale=0.5}",
                "y = gather(t) {axis=0, indices=(5,), shape=(1,)}",
            ],
        ),
        (
            # through other moves of rows
            "p = permute_rows(x) {groups=2}\n t = tanh(p)\n r = gather(t) {axis=0, indices=(3, 2, 1, 0), "
            "shape=(4,)}\n y = gather(r) {axis=0, indices=(3, 0), shape=(2,)}",
            ["gather = gather(x) {axis=0, indices=(0, 4), shape=(2,)}", "y = tanh(gather)"],
        ),
        (
            # of values below each other, the one in which the rows lie
            "t = tanh(x)\n j = concat(token, t, x) {axis=0}\n"
            "y = gather(j) {axis=0, indices=(1, 6), shape=(2,)}",
            ["gather = gather(x) {axis=0, indices=(0, 5), shape=(2,)}", "y = tanh(gather)"],
        ),
    ],
)
def test_as_far_as_all_want_the_same_rows(text: str, expected: list[str]) -> None:
    assert body(same_numbers(graph_of(text, (6, 4), CONSTANTS), pick_rows, 1e-6)) == expected


@pytest.mark.parametrize(
    "text",
    [
        # most rows, or in another order
        "t = tanh(x)\n y = gather(t) {axis=0, indices=(1, 2, 3, 4, 5), shape=(5,)}",
        "t = tanh(x)\n y = permute_rows(t) {groups=2}",
        # others read more, or the caller does
        "t = tanh(x)\n a = gather(t) {axis=0, indices=(1,), shape=(1,)}\n"
        "b = gather(t) {axis=0, indices=(2,), shape=(1,)}\n y = add(a, b)",
        "t = tanh(x)\n a = gather(t) {axis=0, indices=(1,), shape=(1,)}\n y = add(t, a)",
        # what needs rows beside those that are picked
        "m = mean_rows(x) {group_rows=2}\n y = gather(m) {axis=0, indices=(1,), shape=(1,)}",
        "j = concat(x, lines) {axis=0}\n y = gather(j) {axis=0, indices=(1, 7), shape=(2,)}",
        "j = concat(token, x) {axis=0}\n y = gather(j) {axis=0, indices=(0,), shape=(1,)}",
        "j = concat(x, x) {axis=0}\n y = gather(j) {axis=0, indices=(7,), shape=(1,)}",
    ],
)
def test_what_stays(text: str) -> None:
    graph = graph_of(text, (6, 4), CONSTANTS)
    after = same_numbers(graph, pick_rows)
    assert [(op.kind, op.attrs) for op in after.ops] == [(op.kind, op.attrs) for op in graph.ops]


def test_outputs_stay_whole() -> None:
    graph = graph_of("t = tanh(x)\n" + LAST.format("t"), (6, 4), outputs=("t", "y"))
    assert body(same_numbers(graph, pick_rows)) == body(graph)


def test_one_row_for_all_is_not_picked() -> None:
    graph = graph_of("m = mean_rows(x) {group_rows=6}\n s = add(x, m)\n" + LAST.format("s"), (6, 4))
    assert [op.kind.value for op in same_numbers(graph, pick_rows).ops] == ["mean_rows", "gather", "add"]


def test_last_block_before_a_read_out_of_one_token() -> None:
    block = (
        "n{0} = layernorm({1}, gamma, beta) {{epsilon=1e-05}}\n q{0} = linear(n{0}, w, b)\n"
        "k{0} = linear(n{0}, w, row)\n v{0} = linear(n{0}, w, token)\n"
        "a{0} = attention(q{0}, k{0}, v{0}) {{heads=2, scale=0.5}}\n l{0} = linear(a{0}, w, b)\n"
        "s{0} = add({1}, l{0})\n m{0} = layernorm(s{0}, gamma, beta) {{epsilon=1e-05}}\n"
        "f{0} = linear(m{0}, w, b)\n g{0} = gelu(f{0}) {{approximate='none'}}\n"
        "h{0} = linear(g{0}, w, b)\n z{0} = add(s{0}, h{0})\n"
    )
    text = block.format(1, "x") + block.format(2, "z1") + "c = linear(z2, head, head_b)\n"
    text += "y = slice(c) {starts=(0, 0), ends=(1, 5), steps=(1, 1)}"
    graph = graph_of(text, (6, 4), CONSTANTS)
    after = same_numbers(graph, lambda before: run_passes(before, CANONICALISE), 1e-5)
    rows = {
        kind: [after.types[op.output].shape[0] for op in after.ops if op.kind is kind]
        for kind in (OpKind.LINEAR, OpKind.ATTENTION, OpKind.GELU)
    }
    assert rows[OpKind.ATTENTION] == [6, 1] and rows[OpKind.GELU] == [6, 1]
    # Of the second block only keys and values are computed for all tokens.
    assert sorted(rows[OpKind.LINEAR]) == [1] * 5 + [6] * 8


def test_the_mask_of_an_input_stays_whole() -> None:
    text = (
        "m = reshape(x) {shape=(1, 24)}\n m6 = slice(m) {starts=(0, 0), ends=(1, 6), steps=(1, 1)}\n"
        "q = linear(x, w, b)\n k = linear(x, w, row)\n v = linear(x, w, token)\n"
        "a = attention(q, k, v, m6) {heads=2, scale=0.5, mask_factor=3.0, mask_offset=-3.0}\n"
    )
    after = same_numbers(graph_of(text + LAST.format("a"), (6, 4), CONSTANTS), pick_rows, 1e-6)
    (op,) = (op for op in after.ops if op.kind is OpKind.ATTENTION)
    assert [after.types[name].shape for name in op.inputs] == [(1, 4), (6, 4), (6, 4), (1, 6)]
