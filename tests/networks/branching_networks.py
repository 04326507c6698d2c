"""Networks of blocks with two branches, of which one holds much for long: the order of stages matters."""

from __future__ import annotations

import numpy as np

from tests.networks.small_transformer import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales

ROWS, NARROW = 24, 8


def branching_network(blocks: int, columns: int = 32, wide_columns: int = 96, seed: int = 0) -> Graph:
    """Return an integer graph of 8 ops for each block and one more.

    In a block both branches start with a convolution of a narrow value. One gives the block's width at once;
    the other goes through a wide convolution, and is best computed first, before the result of the first has
    to be kept.
    """
    b = GraphBuilder.seeded(seed)
    value = b.input("x", ROWS, columns)

    def convolution(output: str, x: str) -> str:
        width = b.types[x].shape[1]
        taps = b.constant(f"{output}.taps", b.generator.normal(0, 0.5, (width, 3)))
        return b.op(OpKind.DEPTHWISE_ROWS, output, x, taps, b.constant(f"{output}.bias", np.zeros(width)))

    def activated(output: str, x: str, width: int) -> str:
        return b.gelu(output, b.linear(f"{output}.sums", x, width))

    for block in range(blocks):
        narrow = activated(f"{block}.narrow", value, NARROW)
        short = activated(f"{block}.short", convolution(f"{block}.first", narrow), columns)
        wide = activated(f"{block}.wide", convolution(f"{block}.second", narrow), wide_columns)
        long = activated(f"{block}.long", convolution(f"{block}.third", wide), columns)
        value = b.add(f"{block}.sum", short, long)
    b.linear("y", value, 4)
    graph = b.graph(("x",), ("y",))
    samples = np.random.default_rng(seed).standard_normal((2, ROWS, columns)).astype(np.float32)
    return quantise(graph, choose_scales(graph, calibrate(graph, {"x": samples})))
