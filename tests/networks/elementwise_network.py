"""Integer graphs of ops that work element by element, built by hand: every form of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import DType, Quant, TensorType
from tmc.ir.verify import verify
from tmc.passes.integer_ops.add import quantise_add
from tmc.passes.integer_ops.convert import Stored, quantise_convert
from tmc.passes.integer_ops.mul import quantise_mul

_TYPES: tuple[Stored, ...] = ("s8", "s16")
Signs = tuple[Literal[1, -1], Literal[1, -1]]


def sum_network(rows: int, columns: int) -> Graph:
    """Return a verified graph of conversions and sums, with an int16 input of a multiple of 2 columns."""
    outputs = ("wider", "narrow", *(f"sum_{x}{z}{y}" for x, z, y in product(_TYPES, repeat=3)))
    outputs += ("less", "placed", "shifted")
    net = _network("sums", rows, columns, outputs)
    a = net.convert("a", "x", "s8", Quant((0.25,), -7))
    b = net.convert("b", a, "s16", Quant((0.0009,)))
    wide = net.convert("wide", b, "s16", Quant((0.002,)))
    c = net.convert("c", wide, "s8", Quant((0.3,), 12))
    net.convert("narrow", c, "s8", Quant((0.2,), 9))
    net.convert("wider", wide, "s16", Quant((0.0017,)))
    pairs: dict[Stored, tuple[str, str]] = {"s8": (a, c), "s16": (wide, b)}
    for x, z, y in product(_TYPES, repeat=3):
        quant = Quant((0.4,), 3) if y == "s8" else Quant((0.0022,))
        net.add(f"sum_{x}{z}{y}", pairs[x][0], pairs[z][1], y, quant)
    row = net.row(columns)
    less = net.add("more", wide, row, "s16", Quant((0.002,)), signs=(-1, 1))
    net.add("less", less, less, "s8", Quant((0.2,)), signs=(1, 1))
    net.add("placed", b, net.lines(rows, columns, DType.S16), "s16", Quant((0.002,)))
    net.add("shifted", c, net.lines(rows, columns, DType.S8), "s8", Quant((0.4,), 3), signs=(1, -1))
    return net.graph()


def product_network(rows: int, columns: int) -> Graph:
    """Return a verified graph of products, with an int16 input of a multiple of 2 columns."""
    outputs = (*(f"product_{x}{z}{y}" for x, z, y in product(_TYPES, repeat=3)), "gated", "windowed")
    net = _network("products", rows, columns, outputs)
    a = net.convert("a", "x", "s8", Quant((0.25,), -7))
    b = net.convert("b", "x", "s16", Quant((0.0009,)))
    pairs: dict[Stored, tuple[str, str]] = {"s8": (a, net.convert("c", b, "s8", Quant((0.3,), 12)))}
    pairs["s16"] = (b, "x")
    for x, z, y in product(_TYPES, repeat=3):
        quant = Quant((3.0,), -4) if y == "s8" else Quant((0.02,))
        net.mul(f"product_{x}{z}{y}", pairs[x][0], pairs[z][1], y, quant)
    gate = net.mul("gate", b, net.row(columns), "s16", Quant((0.01,)))
    net.mul("gated", gate, gate, "s8", Quant((20.0,), -128))
    net.mul("windowed", a, net.lines(rows, columns, DType.S8), "s8", Quant((3.0,), 4))
    return net.graph()


def _network(name: str, rows: int, columns: int, outputs: tuple[str, ...]) -> _Network:
    return _Network(
        GraphBuilder(name, {"x": TensorType(DType.S16, (rows, columns), Quant((0.001,)))}, outputs)
    )


@dataclass(frozen=True, slots=True)
class _Network:
    builder: GraphBuilder

    def graph(self) -> Graph:
        graph = self.builder.graph()
        verify(graph)
        return graph

    def row(self, columns: int) -> str:
        """Return a constant row of int8."""
        line = np.random.default_rng(columns).integers(-128, 128, (1, columns)).astype(np.int8)
        return self.builder.constant(line, "row", quant=Quant((0.1,), 5))

    def lines(self, rows: int, columns: int, dtype: DType) -> str:
        """Return a constant row for each row of a value."""
        ends = np.iinfo(dtype.numpy)
        lines = np.random.default_rng(rows).integers(ends.min, ends.max + 1, (rows, columns))
        quant = Quant((0.1,), 5) if dtype is DType.S8 else Quant((0.002,))
        return self.builder.constant(lines.astype(dtype.numpy), "lines", quant=quant)

    def stored(self, name: str) -> tuple[Quant, Stored]:
        """Return the scale and the type of a value."""
        kind = self.builder.type_of(name)
        assert kind.quant is not None
        return kind.quant, "s8" if kind.dtype is DType.S8 else "s16"

    def convert(self, name: str, x: str, dtype: Stored, quant: Quant) -> str:
        attrs = quantise_convert(f"/{name}", *self.stored(x), quant, dtype)
        return self.builder.op(OpKind.QCONVERT, [x], attrs, f"/{name}", name, quant=quant)

    def add(self, name: str, x: str, z: str, dtype: Stored, quant: Quant, signs: Signs = (1, 1)) -> str:
        (of_x, x_dtype), (of_z, z_dtype) = self.stored(x), self.stored(z)
        attrs = quantise_add(f"/{name}", of_x, of_z, quant, (x_dtype, z_dtype, dtype), signs=signs)
        return self.builder.op(OpKind.QADD, [x, z], attrs, f"/{name}", name, quant=quant)

    def mul(self, name: str, x: str, z: str, dtype: Stored, quant: Quant) -> str:
        (of_x, x_dtype), (of_z, z_dtype) = self.stored(x), self.stored(z)
        attrs = quantise_mul(f"/{name}", of_x, of_z, quant, (x_dtype, z_dtype, dtype))
        return self.builder.op(OpKind.QMUL, [x, z], attrs, f"/{name}", name, quant=quant)
