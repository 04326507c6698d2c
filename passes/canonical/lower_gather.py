"""Write gathers of elements as a change of the order of rows, or as a transpose."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import GatherAttrs, PermuteRowsAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, follow, producers
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined


def lower_gather(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Rewrite gathers that take all elements of a value in the order of two axes exchanged.

    1. Runs of adjacent elements in another order become permute_rows of the value seen as rows of that run:
       tokens channel by channel become tokens sample by sample.
    2. Single elements in another order become a transpose of the value seen as a matrix.
    Views before and after may be any reshapes. Exact: no arithmetic.
    """
    builder, made = GraphBuilder.like(graph), producers(graph)
    for op in graph.ops:
        reason: str | None = ""
        if isinstance(op.attrs, GatherAttrs):
            reason = _lower(builder, _source(op, made), op, op.attrs, graph)
        if reason is not None:
            builder.keep(op)
            if reason and declined is not None:
                declined.append(Declined(op.loc, op.kind.value, reason))
    return builder.graph()


def _source(op: Op, made: dict[str, Op]) -> str:
    """Return the value that a gather takes from, before any reshapes of it."""

    def before(name: str) -> str | None:
        return made[name].inputs[0] if name in made and made[name].kind is OpKind.RESHAPE else None

    return follow(op.inputs[0], before)[-1]


def _lower(builder: GraphBuilder, source: str, op: Op, attrs: GatherAttrs, graph: Graph) -> str | None:
    """Emit the op that exchanges the axes, or return why not."""
    before = graph.types[op.inputs[0]]
    axis = np.arange(before.elements, dtype=np.int64).reshape(before.shape)
    index = np.take(axis, np.array(attrs.indices, dtype=np.int64), axis=attrs.axis).reshape(-1)
    exchanged = _exchanged(index, before.elements)
    if exchanged is None:
        return f"it takes elements of %{source} in an order that exchanges no two axes"
    outer, inner, run = exchanged
    if run > 1:
        rows = builder.reshape(source, (outer * inner, run), op.loc)
        result = builder.op(OpKind.PERMUTE_ROWS, [rows], PermuteRowsAttrs(outer), op.loc)
    else:
        rows = builder.reshape(source, (outer, inner), op.loc)
        result = builder.op(OpKind.TRANSPOSE, [rows], TransposeAttrs((1, 0)), op.loc)
    builder.forward(op.output, builder.reshape(result, graph.types[op.output].shape, op.loc))
    return None


def _exchanged(index: Array, elements: int) -> tuple[int, int, int] | None:
    """Return (outer, inner, run) if index lists [outer, inner, run] in the order [inner, outer, run]."""
    if index.size != elements or elements < 2:
        return None
    breaks = np.flatnonzero(np.diff(index) != 1)
    run = int(breaks[0]) + 1 if breaks.size else elements
    if index.size <= run or elements % run != 0:
        return None
    inner, rest = divmod(int(index[run]), run)
    if rest != 0 or inner < 1 or elements % (inner * run) != 0:
        return None
    places = np.arange(elements).reshape(elements // (inner * run), inner, run)
    if not np.array_equal(places.transpose(1, 0, 2).reshape(-1), index):
        return None
    return elements // (inner * run), inner, run
