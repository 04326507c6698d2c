"""fuse_reductions, order_ops, name_values, fold_constants, require_canonical."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.fold_constants import fold_constants
from tmc.passes.canonical.fuse_reductions import fuse_reductions
from tmc.passes.canonical.name_values import name_values
from tmc.passes.canonical.order_ops import order_ops
from tmc.passes.canonical.require_canonical import CANONICAL, require_canonical
from tmc.passes.pipeline import run_passes


def kinds(graph: Graph) -> list[str]:
    """Return the kinds of the ops."""
    return [op.kind.value for op in graph.ops]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "t = tanh(x)\n r = reshape(t) {shape=(2, 3, 4)}\n y = reduce_mean(r) {axes=(1,), keepdims=False}",
            ["tanh", "mean_rows"],
        ),
        (
            "t = tanh(x)\n r = reshape(t) {shape=(1, 6, 4)}\n y = reduce_mean(r) {axes=(1,), keepdims=True}",
            ["tanh", "mean_rows", "reshape"],
        ),
        (
            "t = tanh(x)\n r = reshape(t) {shape=(2, 3, 4)}\n p = transpose(r) {permutation=(2, 0, 1)}\n"
            "y = reduce_mean(p) {axes=(2,), keepdims=False}",
            ["tanh", "mean_rows", "reshape", "gather", "reshape"],
        ),
        (
            "t = tanh(x)\n r = reshape(t) {shape=(3, 2, 4)}\n"
            "y = reduce_mean(r) {axes=(0, 1), keepdims=False}",
            ["tanh", "mean_rows", "reshape"],
        ),
    ],
)
def test_means_over_rows(text: str, expected: list[str]) -> None:
    assert kinds(same_numbers(graph_of(text, (6, 4)), fuse_reductions, 1e-6)) == expected


def test_largest_of_rows() -> None:
    text = "t = tanh(x)\n r = reshape(t) {shape=(2, 3, 4)}\n y = reduce_max(r) {axes=(1,), keepdims=False}"
    assert kinds(same_numbers(graph_of(text, (6, 4)), fuse_reductions)) == ["tanh", "max_rows"]
    text = "t = tanh(x)\n y = reduce_max(t) {axes=(1,), keepdims=True}"
    after = kinds(same_numbers(graph_of(text, (6, 4)), fuse_reductions))
    assert after == ["tanh", "transpose", "max_rows", "reshape"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t = tanh(x)\n y = argmax(t) {axis=1}", ["tanh", "argmax_columns", "reshape"]),
        ("t = tanh(x)\n y = argmax(t) {axis=0}", ["tanh", "transpose", "argmax_columns", "reshape"]),
        (
            "t = tanh(x)\n r = reshape(t) {shape=(2, 3, 4)}\n y = argmax(r) {axis=2}",
            ["tanh", "argmax_columns", "reshape"],
        ),
    ],
)
def test_column_of_the_largest(text: str, expected: list[str]) -> None:
    graph = graph_of(text, (6, 4))
    same_numbers(graph, fuse_reductions)
    after = same_numbers(graph, lambda before: run_passes(before, CANONICALISE))
    assert kinds(after) == ["convert", *expected]  # a function reads int8, x is int16


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t = tanh(x)\n y = softmax(t) {axis=1}", ["tanh", "convert", "softmax"]),
        (
            "t = tanh(x)\n y = softmax(t) {axis=0}",
            ["tanh", "transpose", "convert", "softmax", "transpose"],
        ),
        (
            "t = tanh(x)\n r = reshape(t) {shape=(2, 3, 4)}\n y = softmax(r) {axis=2}",
            ["tanh", "convert", "softmax", "reshape"],
        ),
    ],
)
def test_softmax_is_one_of_rows(text: str, expected: list[str]) -> None:
    graph = graph_of(text, (6, 4))
    same_numbers(graph, fuse_reductions)
    after = same_numbers(graph, lambda before: run_passes(before, CANONICALISE))
    assert kinds(after) == ["convert", *expected]  # a function reads int8, x is int16, and so does a softmax


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("y = reduce_mean(x) {axes=(1,), keepdims=True}", ["transpose"]),
        ("y = reduce_mean(x) {axes=(0, 1), keepdims=True}", []),
        (
            "r = reshape(x) {shape=(2, 3, 4)}\n y = reduce_mean(r) {axes=(0,), keepdims=True}",
            ["permute_rows"],
        ),
        (
            "r = reshape(x) {shape=(2, 3, 4)}\n y = reduce_mean(r) {axes=(0, 2), keepdims=False}",
            ["transpose", "permute_rows"],
        ),
        (
            "r = slice(x) {starts=(1, 0), ends=(4, 4), steps=(1, 1)}\n"
            "y = reduce_mean(r) {axes=(0,), keepdims=True}",
            ["gather"],
        ),
        (
            "r = slice(x) {starts=(0, 0), ends=(4, 4), steps=(1, 1)}\n"
            "y = reduce_mean(r) {axes=(0,), keepdims=False}",
            ["gather"],
        ),
    ],
)
def test_other_means_have_moves_before_them(text: str, moves: list[str]) -> None:
    graph = graph_of(text, (6, 4))
    assert kinds(same_numbers(graph, fuse_reductions, 1e-6)).count("mean_rows") == 1
    after = same_numbers(graph, lambda before: run_passes(before, CANONICALISE), 1e-6)
    others = ("reshape", "convert")  # a mean reads int8, x is int16
    assert [kind for kind in kinds(after) if kind not in others] == [*moves, "mean_rows"]


def test_order_is_depth_first_and_sums_are_sorted() -> None:
    text = "b = neg(x)\n a = tanh(x)\n c = tanh(a)\n s = add(c, b)\n y = add(k, s)"
    after = same_numbers(graph_of(text, (2, 2), {"k": normal(2, 2)}), order_ops)
    assert body(after) == ["b = neg(x)", "a = tanh(x)", "c = tanh(a)", "s = add(b, c)", "y = add(s, k)"]


def test_names() -> None:
    text = (
        "h = linear(x, w, b)\n i = linear(h, w, b)\n j = concat(i, h, c) {axis=0}\n k = tanh(j)\n"
        "y = add(k, c)"
    )
    constants = {"w": normal(4, 4), "b": normal(1, 4), "c": normal(1, 4)}
    after = same_numbers(graph_of(text, (2, 4), constants), name_values)
    assert body(after) == [
        "linear_0 = linear(x, linear_0.weight, linear_0.bias)",
        "linear_1 = linear(linear_0, linear_1.weight, linear_1.bias)",
        "concat_0 = concat(linear_1, linear_0, concat_0.x2) {axis=0}",
        "tanh_0 = tanh(concat_0)",
        "y = add(tanh_0, y.y)",
    ]


def test_names_step_aside_for_outputs() -> None:
    graph = graph_of("a = neg(x)\n b = neg(a)\n neg_1 = neg(b)", (2,), outputs=("neg_1",))
    assert [op.output for op in name_values(graph).ops] == ["neg_0", "neg_2", "neg_1"]


def test_constants_fold_but_outputs_stay_computed() -> None:
    text = "a = add(c, c)\n b = reshape(a) {shape=(2, 1)}\n z = mul(x, b)\n y = neg(c)"
    graph = graph_of(text, (2, 1), {"c": normal(2)}, ("z", "y"))
    after = same_numbers(graph, fold_constants)
    assert kinds(after) == ["mul", "neg"]


GOOD = {"w": normal(4, 4), "b": normal(1, 4), "c": normal(2, 4)}


def test_canonical_graph_passes() -> None:
    graph = graph_of("h = linear(x, w, b)\n y = add(h, x)", (2, 4), GOOD)
    assert require_canonical(graph) is graph


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("y = neg(x)", (2, 4), "/y: found /y: neg; allowed reshape, linear"),
        ("y = add(x, c)", (2, 4), "add with constant y"),
        ("y = gather(x) {axis=1, indices=(1, 0), shape=(2,)}", (2, 4, 3), "/y: gather of shape (2, 2, 3)"),
        ("y = concat(x, x) {axis=0}", (2, 4, 3), "/y: concat of shape (4, 4, 3)"),
        ("n = neg(b)\n y = linear(x, w, n)", (2, 4), "/n: neg; /y: linear with computed bias"),
        ("y = add(x, x)", (2, 2, 4), "add of shape (2, 2, 4)"),
        (
            "r = reshape(x) {shape=(1, 8)}\n s = reshape(x) {shape=(8, 1)}\n y = add(r, s)",
            (2, 4),
            "add of shapes (1, 8) and",
        ),
        (
            "\n".join(f"n{i} = neg({'x' if i == 0 else f'n{i - 1}'})" for i in range(10)) + "\n y = neg(n9)",
            (2, 4),
            "and 3 more",
        ),
    ],
)
def test_what_is_not_canonical_is_named(text: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        require_canonical(graph_of(text, shape, GOOD))
    assert message in str(caught.value)
    assert caught.value.notes[-1].startswith("rewrite this part")


def test_reasons_come_as_notes() -> None:
    with pytest.raises(UnsupportedModel) as caught:
        require_canonical(graph_of("y = matmul(x, x)", (4, 4)), CANONICALISE)
    assert caught.value.notes[0] == "left alone: /y (matmul): no constant matrix on one side"


def test_canonical_kinds_are_float_ops() -> None:
    assert all(not kind.value.startswith("q") for kind in CANONICAL)
    assert np.unique([kind.value for kind in CANONICAL]).size == len(CANONICAL)
