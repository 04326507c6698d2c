"""pad_heads: zero columns behind those of each head, for every reader of the result."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder
from tests.passes.pass_checks import same_numbers
from tmc.ir.attrs import AttentionAttrs, GatherAttrs, RopeAttrs
from tmc.ir.graph import Graph, OpKind
from tmc.passes.canonical.pad_heads import pad_heads


def attention(width: int, *, linear: bool = True, others: bool = False) -> Graph:
    """Return two heads of so many columns; linear: whether one reads them; others: what else reads Q."""
    b = GraphBuilder.seeded(width)
    x = b.input("x", 7, 12)
    q, k, v = (b.linear(name, x, 2 * width) for name in "qkv")
    mixed = b.op(OpKind.ATTENTION, "mixed", q, k, v, attrs=AttentionAttrs(2, 0.5))
    if linear:
        b.linear("y", mixed, 3)
    else:
        b.op(OpKind.TANH, "y", mixed)
    if others:
        b.op(OpKind.TANH, "z", q)
    return b.graph(("x",), ("y", "z") if others else ("y",))


@pytest.mark.parametrize("width", [1, 5, 6])
def test_linears_before_and_behind_take_the_zeros_in(width: int) -> None:
    graph = attention(width)
    padded = same_numbers(graph, pad_heads, 1e-6)
    assert [op.kind for op in padded.ops] == [op.kind for op in graph.ops]
    columns = 2 * -(-width // 4) * 4
    assert all(padded.types[name].shape == (7, columns) for name in ("q", "k", "v", "mixed"))
    weight = padded.constants[padded.ops[0].inputs[1]]
    assert weight.shape == (columns, 12) and np.count_nonzero(weight.any(axis=1)) == 2 * width


def test_what_is_no_linear_reads_the_columns_that_were_there() -> None:
    padded = same_numbers(attention(3, linear=False), pad_heads, 1e-6)
    (picked,) = (op for op in padded.ops if op.kind is OpKind.GATHER)
    assert picked.output == "mixed" and picked.attrs == GatherAttrs(1, (0, 1, 2, 4, 5, 6), (6,))


def rotated(width: int, *, others: bool = False) -> Graph:
    """Return two heads of so many columns with rotations of Q and K; others: what else reads a rotated Q."""
    b = GraphBuilder.seeded(width)
    x = b.input("x", 7, 12)
    q, k, v = (b.linear(name, x, 2 * width) for name in "qkv")
    angles = np.outer(np.arange(7), 0.5 ** np.arange(width // 2))
    tables = [b.constant(name, function(angles)) for name, function in (("cos", np.cos), ("sin", np.sin))]
    q, k = (b.op(OpKind.ROPE, f"{name}_turned", name, *tables, attrs=RopeAttrs(2)) for name in (q, k))
    b.linear("y", b.op(OpKind.ATTENTION, "mixed", q, k, v, attrs=AttentionAttrs(2, 0.5)), 3)
    if others:
        b.op(OpKind.TANH, "z", q)
    return b.graph(("x",), ("y", "z") if others else ("y",))


@pytest.mark.parametrize("width", [2, 6, 10])
def test_rotations_leave_the_zeros_where_they_are(width: int) -> None:
    graph = rotated(width)
    padded = same_numbers(graph, pad_heads, 1e-6)
    assert [op.kind for op in padded.ops] == [op.kind for op in graph.ops]
    columns = 2 * -(-width // 4) * 4
    assert {padded.types[name].shape for name in ("q", "q_turned", "k_turned", "v", "mixed")} == {
        (7, columns)
    }
    turned = [op.inputs[1:] for op in padded.ops if op.kind is OpKind.ROPE]
    assert turned[0] == turned[1]
    cosine, sine = (padded.constants[name] for name in turned[0])
    assert cosine.shape == sine.shape == (7, columns // 4)
    assert (cosine[:, -1] == 1).all() and (sine[:, -1] == 0).all()


@pytest.mark.parametrize("graph", [rotated(8), rotated(6, others=True)], ids=["words", "read_twice"])
def test_other_rotations_stay_as_they_are(graph: Graph) -> None:
    assert pad_heads(graph) == graph


@pytest.mark.parametrize("graph", [attention(8), attention(6, others=True)], ids=["words", "read_twice"])
def test_other_heads_stay_as_they_are(graph: Graph) -> None:
    assert pad_heads(graph) == graph
