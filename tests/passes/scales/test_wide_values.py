"""Values that are stored in int16 because the user asks for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer
from tmc.ir import attrs as a
from tmc.ir.errors import NoIntegerForm, QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.passes.scales.choose_forms import choose_forms
from tmc.passes.scales.value_roles import Role, value_roles
from tmc.passes.scales.wide_values import wide_values


def built(build: Callable[[GraphBuilder, str], str]) -> Graph:
    """Return a graph of one input."""
    b = GraphBuilder.seeded(0)
    x = b.input("x", 8, 16)
    return b.graph(("x",), (build(b, x),))


def norm_between_linears(b: GraphBuilder, x: str) -> str:
    return b.linear("y", b.layernorm("n", b.linear("h", x, 16)), 4)


def narrow_sum(b: GraphBuilder, x: str) -> str:
    n = b.layernorm("n", x)
    g = b.op(OpKind.GELU, "g", b.linear("h", n, 16), attrs=a.GeluAttrs("none"))
    k = b.op(OpKind.GELU, "k", b.linear("i", n, 16), attrs=a.GeluAttrs("none"))
    return b.linear("y", b.op(OpKind.ADD, "s", g, k), 4)


@pytest.mark.parametrize(
    ("build", "name"), [(norm_between_linears, "n"), (narrow_sum, "s"), (narrow_sum, "n")]
)
def test_a_value_has_16_bits_where_its_readers_take_them(
    build: Callable[[GraphBuilder, str], str], name: str
) -> None:
    graph = built(build)
    assert value_roles(graph)[name] is Role.ACTIVATION
    assert choose_forms(graph, {name}) == graph
    roles = value_roles(graph, wide={name})
    assert roles[name] is Role.RESIDUAL
    assert {each: role for each, role in roles.items() if each != name} == {
        each: role for each, role in value_roles(graph).items() if each != name
    }


def test_other_readers_get_a_copy() -> None:
    graph = transformer(Size(layers=1))
    formed = choose_forms(graph, {"0.norm1"})
    (copy,) = (op for op in formed.ops if op.kind is OpKind.CONVERT)
    assert copy.inputs == ("0.norm1",) and len(formed.ops) == len(graph.ops) + 1
    roles = value_roles(formed, wide={"0.norm1"})
    assert roles["0.norm1"] is Role.RESIDUAL and roles[copy.output] is Role.ACTIVATION
    x = {name: np.ones(graph.types[name].shape, np.float32) for name in graph.inputs}
    for name, array in interpret(graph, x).items():
        assert np.array_equal(interpret(formed, x)[name], array)


@pytest.mark.parametrize("name", ["0.gelu", "0.v"])
def test_what_has_8_bits_alone_is_refused(name: str) -> None:
    with pytest.raises(NoIntegerForm, match="found 16 bits for %") as error:
        value_roles(transformer(Size(layers=1)), wide={name})
    assert name in error.value.what and "allowed for results of a linear op" in error.value.what


def test_values_are_named_by_their_nodes_too() -> None:
    graph = transformer(Size(layers=1))
    loc = next(op.loc for op in graph.ops if op.output == "0.norm1")
    assert wide_values(graph, {loc}) == {op.output for op in graph.ops if op.loc == loc}
    assert wide_values(graph, {"0.norm1"}) == {"0.norm1"} and not wide_values(graph, ())


def test_unknown_names_are_refused_with_near_ones() -> None:
    with pytest.raises(QuantisationError) as error:
        wide_values(transformer(Size(layers=1)), {"0.norm7"})
    assert error.value.where == "--bits" and "found 0.norm7, allowed a node or its value" in error.value.what
    assert "0.norm1" in error.value.what and "0.norm2" in error.value.what and error.value.notes
