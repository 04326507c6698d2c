"""fuse_pooling: sums of tokens that are weighted by a softmax become attention of one query."""

from __future__ import annotations

import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.passes.canonical.fuse_pooling import fuse_pooling

WEIGHTS = {"w": normal(1, 4), "b": normal(1, 1), "two": normal(2, 4), "b2": normal(1, 2)}
SCORES = "s = linear(x, w, b)\n"


@pytest.mark.parametrize(
    "text",
    [
        # behind each other, as a product of vectors
        "r = reshape(s) {shape=(1, 6)}\n p = softmax(r) {axis=1}\n y = matmul(p, x)",
        "p = softmax(s) {axis=0}\n q = transpose(p) {permutation=(1, 0)}\n y = matmul(q, x)",
        # as a mean of products
        "p = softmax(s) {axis=0}\n m = mul(x, p)\n y = reduce_mean(m) {axes=(0,), keepdims=True}",
        "p = softmax(s) {axis=0}\n m = mul(p, x)\n y = reduce_mean(m) {axes=(0,), keepdims=False}",
        # of columns
        "r = reshape(s) {shape=(1, 6)}\n p = softmax(r) {axis=1}\n t = transpose(x) {permutation=(1, 0)}\n"
        "m = mul(t, p)\n y = reduce_mean(m) {axes=(1,), keepdims=False}",
        # of scores that something else computes
        "h = tanh(s)\n p = softmax(h) {axis=0}\n m = mul(x, p)\n"
        "y = reduce_mean(m) {axes=(0,), keepdims=False}",
    ],
)
def test_weighted_sums_of_tokens(text: str) -> None:
    after = same_numbers(graph_of(f"{SCORES}{text}", (6, 4), WEIGHTS), fuse_pooling, 1e-6)
    kinds = [op.kind.value for op in after.ops]
    assert "attention" in kinds and "softmax" not in kinds[kinds.index("attention") :]
    keys = next(op for op in after.ops if op.kind.value == "linear" and "keys" in op.inputs[1])
    assert (keys.inputs[0] == "x") == ("tanh" not in text)


@pytest.mark.parametrize(
    "text",
    [
        # scores by head
        "s = linear(x, two, b2)\n p = softmax(s) {axis=0}\n q = transpose(p) {permutation=(1, 0)}\n"
        "y = matmul(q, x)",
        # a mean over columns
        f"{SCORES} p = softmax(s) {{axis=0}}\n m = mul(x, p)\n"
        "y = reduce_mean(m) {axes=(1,), keepdims=True}",
        # weights of a sum that are no softmax
        f"{SCORES} p = sigmoid(s)\n m = mul(x, p)\n y = reduce_mean(m) {{axes=(0,), keepdims=True}}",
        # a softmax of single numbers
        f"{SCORES} p = softmax(s) {{axis=1}}\n m = mul(x, p)\n"
        "y = reduce_mean(m) {axes=(0,), keepdims=True}",
    ],
)
def test_what_is_no_such_sum(text: str) -> None:
    graph = graph_of(text, (6, 4), WEIGHTS)
    assert body(same_numbers(graph, fuse_pooling)) == body(graph)
