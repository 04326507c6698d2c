"""lower_products: products of rows, group by group, with moves around them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, same_numbers
from tmc.ir.attrs import MatmulRowsAttrs
from tmc.ir.graph import Graph, OpKind
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.lower_products import lower_products
from tmc.passes.pipeline import run_passes

BATCHED = "r = reshape(x) {shape=(2, 3, 4)}\n t = transpose(r) {permutation=(0, 2, 1)}\n y = matmul(r, t)"


def groups_of(graph: Graph) -> list[int]:
    """Return the groups of the products."""
    return [op.attrs.groups for op in graph.ops if isinstance(op.attrs, MatmulRowsAttrs)]


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("t = transpose(x) {permutation=(1, 0)}\n y = matmul(x, t)", 1),
        (BATCHED, 2),
        # All matrices of the batch by the same one.
        (
            "r = reshape(x) {shape=(3, 2, 4)}\n s = slice(x) {starts=(0, 0), ends=(4, 3), steps=(1, 1)}\n"
            "y = matmul(r, s)",
            1,
        ),
        # One matrix by each of the batch.
        (
            "r = reshape(x) {shape=(3, 4, 2)}\n s = slice(x) {starts=(0, 0), ends=(5, 4), steps=(1, 1)}\n"
            "y = matmul(s, r)",
            3,
        ),
        # Each of one axis by each of another.
        (
            "a = reshape(x) {shape=(3, 1, 2, 4)}\n b = reshape(x) {shape=(1, 2, 4, 3)}\n y = matmul(a, b)",
            6,
        ),
    ],
)
def test_products_become_those_of_rows(text: str, groups: int) -> None:
    graph = graph_of(text, (6, 4))
    assert groups_of(same_numbers(graph, lower_products, 1e-6)) == [groups]
    after = same_numbers(graph, lambda before: run_passes(before, CANONICALISE), 1e-5)
    assert groups_of(after) == [groups]
    assert all(op.kind is not OpKind.MATMUL for op in after.ops)


def test_text() -> None:
    graph = same_numbers(graph_of(BATCHED, (6, 4)), lower_products, 1e-6)
    assert [op.kind.value for op in graph.ops] == [
        *("reshape", "transpose", "transpose", "reshape", "reshape", "matmul_rows", "reshape"),
    ]
    assert "matmul_rows(" in "".join(body(graph)) and graph.types[graph.outputs[0]].shape == (2, 3, 3)


def test_a_constant_for_each_matrix_of_a_batch_is_written_in_every_run() -> None:
    weights = np.random.default_rng(0).standard_normal((2, 4, 5)).astype(np.float32)
    text = "r = reshape(x) {shape=(2, 3, 4)}\n y = matmul(r, w)"
    after = same_numbers(
        graph_of(text, (6, 4), {"w": weights}), lambda before: run_passes(before, CANONICALISE), 1e-5
    )
    assert groups_of(after) == [2]
    assert OpKind.CONCAT in {op.kind for op in after.ops}
