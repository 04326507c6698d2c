"""Walks along values: they end, and however long a chain is, no op of it takes a step of Python's stack."""

from __future__ import annotations

import pytest

from tmc.ir.attrs import Attrs
from tmc.ir.errors import VerifyError
from tmc.ir.graph import Graph, Op, OpKind, follow, uses, values_through
from tmc.ir.types import DType, TensorType
from tmc.passes.scales.linear_room import readers_through_views
from tmc.passes.scales.split_norms import has_reader

LENGTH = 5_000


def chain(kind: OpKind, last: OpKind) -> Graph:
    """Return a graph of very many ops of one kind, v0 to v1 to v2 and so on, and one of another kind."""
    kinds = [*[kind] * LENGTH, last]
    ops = tuple(
        Op(each, (f"v{number}",), f"v{number + 1}", Attrs(), "node") for number, each in enumerate(kinds)
    )
    types = {f"v{number}": TensorType(DType.F32, (1, 1)) for number in range(LENGTH + 2)}
    return Graph("chain", ("v0",), (f"v{LENGTH + 1}",), ops, types, {})


def test_values_through_ops_of_some_kinds() -> None:
    graph = chain(OpKind.RESHAPE, OpKind.RELU)
    values = values_through(uses(graph), "v0", {OpKind.RESHAPE})
    assert sorted(values) == sorted(f"v{number}" for number in range(LENGTH + 1))
    assert values_through(uses(graph), "v0", {OpKind.CLIP}) == ("v0",)
    assert values_through(uses(graph), f"v{LENGTH}", {OpKind.RESHAPE, OpKind.RELU})[-1] == graph.outputs[0]


@pytest.mark.parametrize("kind", [OpKind.RESHAPE, OpKind.CLIP])
def test_readers_behind_a_long_chain(kind: OpKind) -> None:
    graph = chain(kind, OpKind.LAYERNORM)
    assert has_reader(graph, uses(graph), "v0", wide=True)
    assert not has_reader(graph, uses(graph), "v0", wide=False)
    assert readers_through_views(uses(graph), "v0") == [graph.ops[-1]]


def test_following_ends() -> None:
    graph = chain(OpKind.RESHAPE, OpKind.RELU)
    before = {op.output: op.inputs[0] for op in graph.ops}
    assert follow(graph.outputs[0], before.get)[-1] == "v0"
    with pytest.raises(VerifyError, match=r"%a: found a way along views that leads back to it, allowed none"):
        follow("a", {"a": "b", "b": "a"}.get)
