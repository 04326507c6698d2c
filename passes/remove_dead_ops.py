"""Remove what no output needs."""

from __future__ import annotations

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph


def remove_dead_ops(graph: Graph) -> Graph:
    """Keep only the ops and constants from which an output is computed."""
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        builder.keep(op)
    return builder.graph()
