"""Recognise linear interpolation over time written as gathers, products and sums."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import InterpolateRowsAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.float_semantics import interpolation
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined
from tmc.passes.views.element_map import ElementMap, Tracer
from tmc.passes.views.emit_view import emit_view

# Exporters compute the places of samples in float32: a place near 500 is off by some 1e-5.
_ROUNDING = 1e-4


def fuse_interpolation(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Replace sums of neighbouring samples of one value by `interpolate_rows`, where they are that.

    The sum is read element by element, so any way to gather the samples and to blend them will do; the
    samples may lie along the rows or along the columns of the value they come from.
    Declined: sums of several elements of one value that are no interpolation between centres of samples.
    Equal up to the float32 rounding of the places.
    """
    builder, tracer = GraphBuilder.like(graph), Tracer(graph)
    for op in graph.ops:
        reason = _fuse(builder, tracer, graph, op) if op.kind in (OpKind.ADD, OpKind.SUB) else ""
        if reason is not None:
            builder.keep(op)
            if reason and declined is not None:
                declined.append(Declined(op.loc, op.kind.value, reason))
    return builder.graph()


def _fuse(builder: GraphBuilder, tracer: Tracer, graph: Graph, op: Op) -> str | None:
    """Emit the interpolation; else return why not, or nothing to say of a sum of several values."""
    traced = tracer.trace(op.output)
    if traced.source == op.output or len(traced.terms) < 2:
        return ""
    width = graph.types[traced.source].shape[-1]
    count = graph.types[traced.source].elements // width
    source = builder.reshape(traced.source, (count, width), op.loc)
    shape = graph.types[op.output].shape
    if (places := _places(traced, count, width, rows_first=True)) is None:
        count, width = width, count
        if (places := _places(traced, count, width, rows_first=False)) is None:
            return f"a sum of elements of %{traced.source}, but no linear interpolation between its samples"
        source = builder.op(OpKind.TRANSPOSE, [source], TransposeAttrs((1, 0)), op.loc)
    attrs = InterpolateRowsAttrs(places.size // width)
    result = builder.op(OpKind.INTERPOLATE_ROWS, [source], attrs, op.loc)
    builder.forward(op.output, emit_view(builder, result, places, shape, op.loc))
    return None


def _places(traced: ElementMap, rows: int, columns: int, rows_first: bool) -> Array | None:
    """Return where in an interpolation [T, columns] of the source each element is; None if it is none.

    The source is [rows, columns], or with rows_first unset its transpose.
    """
    shape = traced.terms[0].index.shape
    count = traced.terms[0].index.size
    index = np.stack([term.index.reshape(-1) for term in traced.terms])
    factors = np.stack([_factors(term.coefficient, count) for term in traced.terms]) * traced.scale
    row, column = np.divmod(index, columns) if rows_first else np.divmod(index, rows)[::-1]
    if rows < 2 or count % columns != 0 or not bool((column == column[:1]).all()):
        return None
    # In each column the results lie one after the other, from the first sample to the last.
    order = np.lexsort((np.arange(count), (row * factors).sum(axis=0), column[0])).reshape(columns, -1)
    step = np.empty(count, dtype=np.int64)
    step[order] = np.arange(order.shape[1])
    first, weight = (array[step] for array in interpolation(rows, order.shape[1]))
    found = [(factors * (row == first + offset)).sum(axis=0) for offset in (0, 1)]
    rest = np.abs(factors * ((row != first) & (row != first + 1))).sum(axis=0)
    close = (np.abs(found[0] - (1 - weight)), np.abs(found[1] - weight), rest)
    if not all(bool((error <= _ROUNDING).all()) for error in close):
        return None
    if not np.array_equal(column[0][order], np.repeat(np.arange(columns)[:, None], order.shape[1], axis=1)):
        return None
    return np.asarray((step * columns + column[0]).reshape(shape))


def _factors(coefficient: Array | None, count: int) -> Array:
    return np.ones(count) if coefficient is None else coefficient.reshape(-1).astype(np.float64)
