"""Which inputs a quantised model rounds before anything else reads them."""

from __future__ import annotations

import pytest

from tests.networks.small_transformer import GraphBuilder
from tmc.ir import attrs as a
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import Quant
from tmc.passes.declared.rounded_inputs import rounded_inputs

ROUNDING = a.FakeQuantiseAttrs(0.5, -3)


def network(*roundings: a.FakeQuantiseAttrs | None, given: bool = False) -> Graph:
    """Return a network that reads its input through a view, rounded or not; given: the view is an output."""
    b = GraphBuilder.seeded(0)
    x = b.op(OpKind.RESHAPE, "rows", b.input("x", 1, 48), attrs=a.ReshapeAttrs((6, 8)))
    outputs = ["rows"] * given
    for number, rounding in enumerate(roundings):
        read = x if rounding is None else b.op(OpKind.FAKE_QUANTISE, f"r{number}", x, attrs=rounding)
        b.linear(f"y{number}", read, 4)
        outputs.append(f"y{number}")
    return b.graph(("x",), tuple(outputs))


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        (network(ROUNDING), {"x": Quant((0.5,), -3)}),
        (network(ROUNDING, ROUNDING), {"x": Quant((0.5,), -3)}),
        (network(ROUNDING, a.FakeQuantiseAttrs(0.25, -3)), {}),
        (network(ROUNDING, None), {}),
        (network(None), {}),
        (network(ROUNDING, given=True), {}),
        (network(given=True), {}),
    ],
)
def test_all_readers_decide(graph: Graph, found: dict[str, Quant]) -> None:
    assert rounded_inputs(graph) == found
