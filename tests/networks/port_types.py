"""A network with an input and an output of every element type, of sizes that are no whole words."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tests.networks.simple_plan import Tiles
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.types import DType, TensorType
from tmc.ir.verify import verify
from tmc.passes.integer_ops.linear import CodeRange
from tmc.passes.integer_ops.requantise_factors import requantise_factors

TILES = Tiles(rows=4, channels=8, buffers=2, queries=8, keys=8, values=8)
TYPES = (DType.S8, DType.S16, DType.S32)


def port_types_network() -> Graph:
    """Return a graph of three inputs of one row of 7 columns, s8, s16 and s32, each to another type."""
    inputs = {f"in_{dtype.value}": TensorType(dtype, (1, 7)) for dtype in TYPES}
    builder, random = GraphBuilder("types", inputs, ("to_s16", "to_s32", "to_s8")), np.random.default_rng(1)
    for x, dtype, shift in (("in_s8", "s16", 4), ("in_s16", "s32", 0)):
        operands = [
            x,
            builder.constant(random.integers(-127, 128, (5, 7)).astype(np.int8), "weight"),
            builder.constant(np.ones(5, np.int32), "multiplier"),
            builder.constant(random.integers(-99, 99, (1, 5)).astype(np.int32), "bias"),
        ]
        attrs = QLinearAttrs(shift, dtype)  # type: ignore[arg-type]
        builder.op(OpKind.QLINEAR, operands, attrs, f"/to_{dtype}", f"to_{dtype}")
    slope = [Fraction(channel + 1, 200) for channel in range(7)]
    factors = requantise_factors("/to_s8", [CodeRange(-4096, 4095)] * 7, slope, [Fraction(3)] * 7)
    table = builder.constant(np.arange(-128, 128).astype(np.int8)[::-1].copy(), "table")
    requantised = ["in_s32", builder.constant(factors, "factors"), table]
    builder.op(OpKind.QREQUANTISE, requantised, QRequantiseAttrs(), "/to_s8", "to_s8")
    graph = builder.graph()
    verify(graph)
    return graph
