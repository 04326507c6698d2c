"""split_norms: one copy per stored form, exact, and only where both forms are needed."""

from __future__ import annotations

import numpy as np

from tests.networks.post_norm_networks import TOKENS, WIDTH, post_norm
from tests.networks.small_transformer import GraphBuilder
from tmc.ir import attrs as a
from tmc.ir.graph import Graph, OpKind, uses
from tmc.ir.interpret import interpret
from tmc.ir.verify import verify
from tmc.passes.scales.split_norms import split_norms
from tmc.passes.scales.value_roles import Role, value_roles


def split(graph: Graph) -> Graph:
    """Return the graph after the pass: valid, the same results, and nothing left to split."""
    after = split_norms(graph)
    verify(after)
    x = np.random.default_rng(0).standard_normal((TOKENS, WIDTH)).astype(np.float32)
    before, found = interpret(graph, {"x": x}), interpret(after, {"x": x})
    assert all(np.array_equal(before[name], found[name]) for name in graph.outputs)
    assert split_norms(after) == after
    return after


def test_sums_read_the_wide_copy_and_products_the_narrow_one() -> None:
    after = split(post_norm(layers=1))
    readers = uses(after)
    for name in ("norm", "0.norm1"):
        assert {op.kind for op in readers[name]} == {OpKind.ADD}
        assert {op.kind for op in readers[f"{name}.narrow"]} == {OpKind.LINEAR}
    assert "0.norm2.narrow" not in after.types  # read by the mean alone
    roles = value_roles(after)
    assert (roles["norm"], roles["norm.narrow"], roles["0.norm2"]) == (
        Role.RESIDUAL,
        Role.ACTIVATION,
        Role.ACTIVATION,
    )


def test_the_caller_reads_the_wide_copy() -> None:
    b = GraphBuilder.seeded(0)
    n = b.layernorm("n", b.input("x", TOKENS, WIDTH))
    b.linear("head", n, 4)
    after = split(b.graph(("x",), ("n", "head")))
    assert uses(after).keys() & {"n", "n.narrow"} == {"n.narrow"}
    roles = value_roles(after)
    assert (roles["n"], roles["n.narrow"]) == (Role.RESIDUAL, Role.ACTIVATION)


def test_reshapes_are_seen_through_and_copied() -> None:
    b = GraphBuilder.seeded(0)
    n = b.layernorm("n", b.input("x", TOKENS, WIDTH))
    r = b.op(OpKind.RESHAPE, "r", n, attrs=a.ReshapeAttrs((2 * TOKENS, WIDTH // 2)))
    b.op(OpKind.ADD, "sum", r, b.linear("branch", r, WIDTH // 2))
    after = split(b.graph(("x",), ("sum",)))
    made = {op.output: op for op in after.ops}
    assert made["r"].inputs == ("n",) and made["r.narrow"].inputs == ("n.narrow",)
    assert made["branch"].inputs[0] == "r.narrow" and made["sum"].inputs == ("r", "branch")


def test_a_norm_of_a_norm_is_wide() -> None:
    b = GraphBuilder.seeded(0)
    first = b.layernorm("first", b.input("x", TOKENS, WIDTH))
    b.op(OpKind.ADD, "sum", first, b.linear("branch", b.layernorm("second", first), WIDTH))
    graph = b.graph(("x",), ("sum",))
    assert split(graph) == graph
    roles = value_roles(graph)
    assert (roles["first"], roles["second"]) == (Role.RESIDUAL, Role.ACTIVATION)
