"""Q and K of 16 bits: both at once, written by a rotation, and the same function."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer
from tmc.ir import attrs as a
from tmc.ir.errors import NoIntegerForm
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.text import print_graph
from tmc.passes.scales.choose_forms import choose_forms
from tmc.passes.scales.value_roles import Role, value_roles
from tmc.passes.scales.wide_attention import wide_attention
from tmc.passes.scales.wide_values import wide_values


def same_function(graph: Graph, other: Graph) -> bool:
    x = {name: np.random.default_rng(1).standard_normal(graph.types[name].shape) for name in graph.inputs}
    given = {name: array.astype(np.float32) for name, array in x.items()}
    found = interpret(other, given)
    return all(np.array_equal(found[name], array) for name, array in interpret(graph, given).items())


def one_attention(width: int, same: bool = False) -> Graph:
    """Return an attention of two heads of a width, of Q, K and V that linears write, or K that is Q."""
    b = GraphBuilder.seeded(0)
    n = b.layernorm("n", b.input("x", 8, 16))
    q = b.linear("q", n, 2 * width)
    k = q if same else b.linear("k", n, 2 * width)
    v = b.linear("v", n, 2 * width)
    o = b.op(OpKind.ATTENTION, "o", q, k, v, attrs=a.AttentionAttrs(2, 0.5))
    return b.graph(("x",), (b.linear("y", o, 4),))


@pytest.mark.parametrize("asked", ["0.q", "0.k", "0.q_turned"])
def test_what_is_rotated_keeps_its_rotation(asked: str) -> None:
    graph = transformer(Size(layers=1))
    formed, wide = wide_attention(graph, frozenset({asked}))
    assert formed == graph and wide == {asked, "0.q_turned", "0.k_turned"}
    roles = value_roles(graph, wide=wide)
    assert roles["0.q_turned"] is roles["0.k_turned"] is Role.WIDE_QUERY_KEY
    assert roles["0.q"] is roles["0.k"] is Role.UNROTATED and roles["0.v"] is Role.VALUE


@pytest.mark.parametrize("asked", ["q", "k"])
def test_else_a_rotation_by_angles_of_0_stands_between(asked: str) -> None:
    graph = one_attention(6)
    formed, wide = wide_attention(graph, frozenset({asked}))
    assert wide == {asked, "q.turned", "k.turned"} and same_function(graph, formed)
    lines = [line.strip() for line in print_graph(formed).splitlines()]
    for name in ("q", "k"):
        (line,) = (each for each in lines if each.startswith(f"%{name}.turned:"))
        assert f"= rope(%{name}, %{name}.turned.cosine, %{name}.turned.sine)" in line
        assert line.endswith(f'loc("/{name}")')
    (line,) = (each for each in lines if "= attention" in each)
    assert "attention(%q.turned, %k.turned, %v)" in line
    assert choose_forms(formed, wide) == formed
    roles = value_roles(formed, wide=wide)
    assert roles["q.turned"] is roles["k.turned"] is Role.WIDE_QUERY_KEY and roles["q"] is Role.UNROTATED


def test_queries_that_are_keys_are_rotated_once() -> None:
    graph = one_attention(4, same=True)
    formed, wide = wide_attention(graph, frozenset({"q"}))
    assert wide == {"q", "q.turned"} and same_function(graph, formed)
    assert sum(op.kind is OpKind.ROPE for op in formed.ops) == 1


def test_other_values_leave_attention_alone() -> None:
    graph = one_attention(6)
    assert wide_attention(graph, frozenset({"n"})) == (graph, {"n"})
    assert value_roles(graph, wide={"o"})["o"] is Role.RESIDUAL


def test_a_node_of_all_three_means_q_and_k() -> None:
    graph = one_attention(6)
    ops = tuple(
        op.__class__(op.kind, op.inputs, op.output, op.attrs, "qkv") if op.output in "qkv" else op
        for op in graph.ops
    )
    together = Graph(graph.name, graph.inputs, graph.outputs, ops, graph.types, graph.constants)
    assert wide_values(together, {"qkv"}) == {"q", "k"} and wide_values(together, {"v"}) == {"v"}


def test_heads_without_pairs_are_refused() -> None:
    with pytest.raises(
        NoIntegerForm, match="16 bits for Q and K in heads of 5 columns, allowed an even"
    ) as error:
        wide_attention(one_attention(5), frozenset({"q"}))
    assert error.value.notes
