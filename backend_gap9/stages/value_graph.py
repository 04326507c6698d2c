"""The values of a graph and what is made of them, built once for all questions of staging."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

import networkx

from tmc.ir.graph import Graph


def value_graph(graph: Graph) -> networkx.DiGraph[str]:
    """Return the values given or computed at run time, with an edge from operand to result for each op.

    Edges and nodes have the index of the op as `op`; of graph inputs it is -1. Nodes stand in execution
    order, inputs first, and so do the edges of a value. An op that reads a value twice is one edge.
    Constants are left out.
    """
    values: networkx.DiGraph[str] = networkx.DiGraph()
    values.add_nodes_from(graph.inputs, op=-1)
    for index, op in enumerate(graph.ops):
        values.add_node(op.output, op=index)
        values.add_edges_from(
            ((name, op.output) for name in op.inputs if name not in graph.constants), op=index
        )
    return values


def maker(values: networkx.DiGraph[str], name: str) -> int:
    """Return the index of the op that makes a value, -1 for a graph input."""
    index: int = values.nodes[name]["op"]
    return index


def readers(values: networkx.DiGraph[str], name: str) -> tuple[int, ...]:
    """Return the indices of the ops that read a value, in execution order."""
    return tuple(maker(values, result) for result in values.successors(name))


def read_across(values: networkx.DiGraph[str], ops: Iterable[int]) -> frozenset[str]:
    """Return the values made before one of some ops, by index, and read behind it."""
    fences = sorted(ops)
    return frozenset(
        name
        for name in values
        if (ahead := bisect_right(fences, maker(values, name))) < len(fences)
        and max(readers(values, name), default=-1) > fences[ahead]
    )
