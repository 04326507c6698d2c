"""Make values of constants where an op takes computed values alone."""

from __future__ import annotations

from dataclasses import replace

from tmc.ir.attrs import ConcatAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array

_SUMS = frozenset({OpKind.ADD, OpKind.SUB})
_ATTENDED = 3  # Q, K and V of attention; a bias behind them stays a constant


def hold_constants(graph: Graph) -> Graph:
    """Rewrite attention(c, k, v), matmul_rows(c, z) and x + c, c constant, to those of concat(c).

    Queries that a network has learned, and a constant for each element of a sum or difference that no op with
    weights took in, are so written in every run, as rows beside computed ones are. One constant for all
    elements of a row or column is left to others. Exact.
    """
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        names = list(op.inputs)
        for place, name in enumerate(op.inputs):
            constant = graph.constants.get(name)
            learned = op.kind is OpKind.MATMUL_ROWS or (op.kind is OpKind.ATTENTION and place < _ATTENDED)
            if constant is not None and (learned or _is_summand(op, constant, graph)):
                names[place] = builder.op(OpKind.CONCAT, [name], ConcatAttrs(0), op.loc)
        builder.keep(replace(op, inputs=tuple(names)))
    return builder.graph()


def _is_summand(op: Op, constant: Array, graph: Graph) -> bool:
    """Tell whether an op adds a constant matrix to a computed one, or subtracts one."""
    alone = all(name in graph.constants for name in op.inputs)
    if op.kind not in _SUMS or alone or constant.shape != graph.types[op.output].shape or constant.ndim != 2:
        return False
    return not bool((constant == constant[:1]).all() or (constant == constant[:, :1]).all())
