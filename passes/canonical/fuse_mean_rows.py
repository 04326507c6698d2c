"""Recognise averages over runs of rows."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import MeanRowsAttrs, ReduceAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined
from tmc.passes.views.element_map import Tracer
from tmc.passes.views.emit_view import emit_view


def fuse_mean_rows(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Rewrite reduce_mean over tokens to mean_rows of the value it comes from, seen as [rows, columns].

    Each result must average one column over a run of rows, all runs of one length. Views
    before and after may be any. Exact: the same sums.
    """
    builder, tracer = GraphBuilder.like(graph), Tracer(graph, views_only=True)
    for op in graph.ops:
        if op.kind is not OpKind.REDUCE_MEAN:
            builder.keep(op)
            continue
        reason = _fuse(builder, tracer, graph, op)
        if reason is not None:
            builder.keep(op)
            if declined is not None:
                declined.append(Declined(op.loc, op.kind.value, reason))
    return builder.graph()


def _fuse(builder: GraphBuilder, tracer: Tracer, graph: Graph, op: Op) -> str | None:
    """Emit the mean_rows, or return why not."""
    assert isinstance(op.attrs, ReduceAttrs), "checked by the verifier"
    traced = tracer.trace(op.inputs[0])
    width = graph.types[traced.source].shape[-1]
    rows = graph.types[traced.source].elements // width
    index = traced.terms[0].index
    last = index.ndim - len(op.attrs.axes)
    averaged = np.moveaxis(index, op.attrs.axes, range(last, index.ndim)).reshape(
        -1, _size(index, op.attrs.axes)
    )
    count = averaged.shape[1]
    row, column = np.divmod(np.sort(averaged, axis=1), width)
    if rows % count != 0 or not bool((column == column[:, :1]).all()):
        return f"an average is not over one column of %{traced.source}, or not over equal runs of rows"
    if not bool((row == row[:, :1] + np.arange(count)).all()) or bool((row[:, 0] % count).any()):
        return f"an average is not over adjacent rows of %{traced.source}"
    flat = builder.reshape(traced.source, (rows, width), op.loc)
    result = builder.op(OpKind.MEAN_ROWS, [flat], MeanRowsAttrs(count), op.loc)
    places = row[:, 0] // count * width + column[:, 0]
    shape = graph.types[op.output].shape
    builder.forward(op.output, emit_view(builder, result, places.reshape(shape), shape, op.loc))
    return None


def _size(index: Array, axes: tuple[int, ...]) -> int:
    return int(np.prod([index.shape[axis] for axis in axes]))
