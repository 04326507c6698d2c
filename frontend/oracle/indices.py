"""Comparison of indices: where two elements are as good as equal, either may be the largest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.attrs import AxisAttrs
from tmc.ir.graph import Graph, Op, OpKind, follow, producers
from tmc.ir.types import Array


def with_largest(graph: Graph) -> tuple[Graph, dict[str, Op]]:
    """Return the graph with the operand of each result that is an ArgMax as a result too, and these ops."""
    made = producers(graph)

    def viewed(name: str) -> str | None:
        op = made.get(name)
        return op.inputs[0] if op is not None and op.kind is OpKind.RESHAPE else None

    roots = {name: made.get(follow(name, viewed)[-1]) for name in graph.outputs}
    found = {name: op for name, op in roots.items() if op is not None and op.kind is OpKind.ARGMAX}
    operands = (op.inputs[0] for op in found.values())
    return replace(graph, outputs=tuple(dict.fromkeys((*graph.outputs, *operands)))), found


def shortfall(op: Op, operand: Array, indices: Array) -> float:
    """Return by how much the elements that indices name are at most below the largest ones."""
    assert isinstance(op.attrs, AxisAttrs)
    largest = operand.max(axis=op.attrs.axis)
    places = np.expand_dims(indices.reshape(largest.shape).astype(np.int64), op.attrs.axis)
    named = np.take_along_axis(operand, places, axis=op.attrs.axis).reshape(largest.shape)
    return float((largest - named).max(initial=0.0))
