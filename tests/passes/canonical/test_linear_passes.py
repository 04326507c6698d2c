"""lower_linear, fold_bias and fold_gather."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.passes.canonical.fold_bias import fold_bias
from tmc.passes.canonical.fold_gather import fold_gather
from tmc.passes.canonical.lower_linear import lower_linear
from tmc.passes.pipeline import Declined

LINEAR = {"w": normal(4, 5), "b": normal(1, 4)}


def test_matmul() -> None:
    after = same_numbers(graph_of("y = matmul(x, w)", (2, 3, 5), {"w": normal(5, 4)}), lower_linear, 1e-6)
    assert [op.kind.value for op in after.ops] == ["reshape", "linear", "reshape"]
    assert np.array_equal(after.constants[after.ops[1].inputs[1]], normal(5, 4).T)


def test_matmul_with_one_matrix_of_a_higher_rank() -> None:
    after = same_numbers(graph_of("y = matmul(x, w)", (3, 5), {"w": normal(1, 5, 4)}), lower_linear, 1e-6)
    assert [op.kind.value for op in after.ops] == ["linear", "reshape"]


@pytest.mark.parametrize(("shape", "weight"), [((5, 6), (4, 5)), ((2, 5, 6), (4, 5)), ((5, 6), (1, 4, 5))])
def test_matmul_with_the_matrix_on_the_left(shape: tuple[int, ...], weight: tuple[int, ...]) -> None:
    after = same_numbers(graph_of("y = matmul(w, x)", shape, {"w": normal(*weight)}), lower_linear, 1e-6)
    kinds = [op.kind.value for op in after.ops if op.kind.value != "reshape"]
    assert kinds == ["transpose", "linear", "transpose"]


@pytest.mark.parametrize(
    ("text", "shape", "reason"),
    [
        ("y = matmul(x, x)", (4, 4), "no constant matrix"),
        ("y = matmul(x, several)", (2, 4, 4), "a matrix for each of several x"),
        ("y = matmul(several, x)", (2, 4, 4), "a matrix for each of several x"),
    ],
)
def test_not_linear(text: str, shape: tuple[int, ...], reason: str) -> None:
    graph = graph_of(text, shape, {"several": normal(2, 4, 4)})
    declined: list[Declined] = []
    assert body(lower_linear(graph, declined)) == body(graph)
    assert reason in declined[0].reason


@pytest.mark.parametrize(
    ("constant", "groups"), [((4,), 1), ((3, 1, 4), 3), ((1, 2, 4), 6), ((3, 2, 1), 6), ((), 1)]
)
def test_bias_keeps_the_fewest_groups(constant: tuple[int, ...], groups: int) -> None:
    text = "l = linear(x, w, b)\n r = reshape(l) {shape=(3, 2, 4)}\n y = add(c, r)"
    after = same_numbers(graph_of(text, (6, 5), {**LINEAR, "c": normal(*constant)}), fold_bias, 1e-6)
    assert [op.kind.value for op in after.ops] == ["linear", "reshape"]
    assert after.types[after.ops[0].inputs[2]].shape == (groups, 4)


def test_bias_through_a_transpose_and_in_two_steps() -> None:
    text = (
        "l = linear(x, w, b)\n r = reshape(l) {shape=(3, 2, 4)}\n t = transpose(r) {permutation=(2, 0, 1)}\n"
        "a = add(t, c)\n y = sub(a, c)"
    )
    graph = graph_of(text, (6, 5), {**LINEAR, "c": normal(4, 1, 1)})
    after = same_numbers(graph, fold_bias, 1e-6)
    assert [op.kind.value for op in after.ops] == ["linear", "reshape", "transpose"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("l = linear(x, w, b)\n a = add(l, c)\n y = add(a, l)", "other readers"),
        ("n = neg(b)\n l = linear(x, w, n)\n y = add(l, c)", "is computed"),
    ],
)
def test_bias_is_declined(text: str, reason: str) -> None:
    graph = graph_of(text, (6, 5), {**LINEAR, "c": normal(4)})
    declined: list[Declined] = []
    assert body(fold_bias(graph, declined)) == body(graph)
    assert reason in declined[0].reason


def test_gathered_columns_become_linears_of_their_own() -> None:
    text = (
        "l = linear(x, w, b)\n g = gather(l) {axis=1, indices=(3, 1), shape=(2,)}\n"
        "h = gather(l) {axis=1, indices=(0, 0), shape=(2,)}\n y = add(g, h)"
    )
    after = same_numbers(graph_of(text, (6, 5), LINEAR), fold_gather, 1e-6)
    assert [op.kind.value for op in after.ops] == ["linear", "linear", "add"]
    assert np.array_equal(after.constants[after.ops[0].inputs[1]], LINEAR["w"][[3, 1]])


def test_permutation_before_a_linear_goes_into_its_weight() -> None:
    text = "g = gather(x) {axis=1, indices=(3, 1, 0, 2, 4), shape=(5,)}\n y = linear(g, w, b)"
    assert [op.kind.value for op in same_numbers(graph_of(text, (6, 5), LINEAR), fold_gather, 1e-6).ops] == [
        "linear"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "g = gather(x) {axis=1, indices=(3, 1, 0, 2, 2), shape=(5,)}\n y = linear(g, w, b)",
        "g = gather(x) {axis=0, indices=(1, 0), shape=(2,)}\n y = linear(g, w, b)",
        "y = gather(x) {axis=1, indices=(1, 0), shape=(2,)}",
    ],
)
def test_gathers_that_stay(text: str) -> None:
    graph = graph_of(text, (6, 5), LINEAR)
    assert body(same_numbers(graph, fold_gather)) == body(graph)
