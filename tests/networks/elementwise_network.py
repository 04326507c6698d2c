"""An integer graph of ops that work element by element, built by hand: every form of each of them."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import DType, Quant, TensorType
from tmc.ir.verify import verify
from tmc.passes.integer_ops.convert import Stored, quantise_convert


def elementwise_network(rows: int, columns: int) -> Graph:
    """Return a verified graph with an int16 input of a multiple of 2 columns."""
    outputs = ("wider", "narrow")
    builder = GraphBuilder(
        "elements", {"x": TensorType(DType.S16, (rows, columns), Quant((0.001,)))}, outputs
    )
    net = _Network(builder)
    a = net.convert("a", "x", "s8", Quant((0.03,), -7))
    b = net.convert("b", a, "s16", Quant((0.0009,)))
    wide = net.convert("wide", b, "s16", Quant((0.002,)))
    net.convert("narrow", net.convert("c", wide, "s8", Quant((0.04,), 12)), "s8", Quant((0.02,), 9))
    net.convert("wider", wide, "s16", Quant((0.0017,)))
    graph = builder.graph()
    verify(graph)
    return graph


@dataclass(frozen=True, slots=True)
class _Network:
    builder: GraphBuilder

    def stored(self, name: str) -> tuple[Quant, Stored]:
        """Return the scale and the type of a value."""
        kind = self.builder.type_of(name)
        assert kind.quant is not None
        return kind.quant, "s8" if kind.dtype is DType.S8 else "s16"

    def convert(self, name: str, x: str, dtype: Stored, quant: Quant) -> str:
        attrs = quantise_convert(f"/{name}", *self.stored(x), quant, dtype)
        return self.builder.op(OpKind.QCONVERT, [x], attrs, f"/{name}", name, quant=quant)
