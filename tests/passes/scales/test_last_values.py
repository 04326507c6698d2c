from __future__ import annotations

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder
from tmc.ir import attrs as a
from tmc.ir.graph import Graph, OpKind
from tmc.passes.scales.last_values import LARGEST_SHARE, last_values
from tmc.passes.scales.value_roles import Role, value_roles


def network(classes: int, behind: OpKind | None = None, before: OpKind | None = None) -> Graph:
    """A residual block of 8 x 16, a norm, and a head behind it, with an op before or behind the head."""
    b = GraphBuilder.seeded(0)
    x = b.linear("stream", b.input("x", 8, 4), 16)
    hidden = b.op(OpKind.GELU, "gelu", b.linear("wide", b.layernorm("n", x), 64))
    x = b.op(OpKind.ADD, "sum", x, b.linear("narrow", hidden, 16))
    x = b.layernorm("last", x)
    if before is OpKind.GATHER:
        x = b.op(OpKind.GATHER, "token", x, attrs=a.GatherAttrs(0, (0,), (1,)))
    if before is OpKind.MEAN_ROWS:
        x = b.op(OpKind.MEAN_ROWS, "mean", x, attrs=a.MeanRowsAttrs(8))
    x = b.linear("head", x, classes)
    if behind is not None:
        x = b.op(behind, "y", x)
    return b.graph(("x",), (x,))


@pytest.mark.parametrize("before", [None, OpKind.GATHER])
def test_a_norm_that_a_small_head_reads(before: OpKind | None) -> None:
    graph = network(3, before=before)
    assert last_values(graph) == {"last"}
    roles = value_roles(graph)
    assert (roles["last"], roles["n"], roles["head"]) == (Role.RESIDUAL, Role.ACTIVATION, Role.LOGITS)


@pytest.mark.parametrize(
    ("behind", "before"), [(OpKind.GELU, None), (OpKind.SIGMOID, None), (None, OpKind.MEAN_ROWS)]
)
def test_a_norm_that_something_else_stands_behind(behind: OpKind | None, before: OpKind | None) -> None:
    assert not last_values(network(3, behind, before))


def test_a_head_of_many_products() -> None:
    products = 8 * (4 * 16 + 16 * 64 + 64 * 16)
    most = int(LARGEST_SHARE * products / (1 - LARGEST_SHARE)) // (8 * 16)
    assert last_values(network(most)) == {"last"}
    assert not last_values(network(most + 1))


@pytest.mark.parametrize(("columns", "taken"), [(256, True), (260, False)])
def test_a_head_of_large_weights(columns: int, taken: bool) -> None:
    """Sums of int16 codes and their bias need 127 * 2^16 for each of 258 largest weights."""
    b = GraphBuilder.seeded(0)
    x = b.layernorm("last", b.linear("stream", b.input("x", 8, 16), columns))
    b.linear("head", x, 1)
    b.constant("head.w", np.full((1, columns), 0.5))
    graph = b.graph(("x",), ("head",))
    assert last_values(graph) == ({"last"} if taken else set())
    assert value_roles(graph)["last"] is (Role.RESIDUAL if taken else Role.ACTIVATION)


def test_a_sum_of_int8_values_before_a_head() -> None:
    b = GraphBuilder.seeded(0)
    x = b.linear("stream", b.input("x", 8, 4), 64)
    one = b.op(OpKind.GELU, "one", x)
    two = b.op(OpKind.SIGMOID, "two", b.linear("other", one, 64))
    b.linear("head", b.op(OpKind.ADD, "sum", one, two), 2)
    graph = b.graph(("x",), ("head",))
    assert last_values(graph) == {"sum"}
    roles = value_roles(graph)
    assert (roles["sum"], roles["two"]) == (Role.RESIDUAL, Role.ACTIVATION)
