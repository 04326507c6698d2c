"""Recognise averages and maxima over runs of rows, and what compares the columns of each row."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tmc.ir.attrs import Attrs, AxisAttrs, MaxRowsAttrs, MeanRowsAttrs, ReduceAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.passes.views.element_map import Tracer
from tmc.passes.views.emit_view import emit_view


def fuse_reductions(graph: Graph) -> Graph:
    """Rewrite reduce_mean and reduce_max to mean_rows and max_rows of a matrix, with moves around them.

    1. Where each result is of one column, over a run of rows of the value it comes from, all runs of one
       length, that value as it is.
    2. Else the elements of each result, brought below each other; the last axis that stays is the columns.
    argmax becomes argmax_columns, and softmax one of rows, of elements side by side.
    Exact: the same sums, the same elements.
    """
    builder, tracer = GraphBuilder.like(graph), Tracer(graph, views_only=True)
    for op in graph.ops:
        if op.kind is OpKind.ARGMAX and isinstance(op.attrs, AxisAttrs):
            _compare(builder, graph, op, op.attrs.axis)
        elif op.kind is OpKind.SOFTMAX and isinstance(op.attrs, AxisAttrs):
            _share(builder, graph, op, op.attrs.axis)
        elif not isinstance(op.attrs, ReduceAttrs):
            builder.keep(op)
        elif not _fuse(builder, tracer, graph, op, op.attrs.axes):
            _turn(builder, graph, op, op.attrs.axes)
    return builder.graph()


def _fuse(builder: GraphBuilder, tracer: Tracer, graph: Graph, op: Op, axes: tuple[int, ...]) -> bool:
    """Emit the reduction of the source if its rows are taken in runs; else tell that they are not."""
    traced = tracer.trace(op.inputs[0])
    width = graph.types[traced.source].shape[-1]
    rows = graph.types[traced.source].elements // width
    index = traced.terms[0].index
    last = index.ndim - len(axes)
    averaged = np.moveaxis(index, axes, range(last, index.ndim)).reshape(-1, _size(index.shape, axes))
    count = averaged.shape[1]
    row, column = np.divmod(np.sort(averaged, axis=1), width)
    if rows % count != 0 or not bool((column == column[:, :1]).all()):
        return False
    if not bool((row == row[:, :1] + np.arange(count)).all()) or bool((row[:, 0] % count).any()):
        return False
    flat = builder.reshape(traced.source, (rows, width), op.loc)
    result = _of_rows(builder, op, flat, count)
    places = row[:, 0] // count * width + column[:, 0]
    shape = graph.types[op.output].shape
    builder.forward(op.output, emit_view(builder, result, places.reshape(shape), shape, op.loc))
    return True


def _turn(builder: GraphBuilder, graph: Graph, op: Op, axes: tuple[int, ...]) -> None:
    """Emit the reduction of the operand with its axes that go before the last one that stays."""
    shape = graph.types[op.inputs[0]].shape
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    order = (*kept[:-1], *axes, *kept[-1:])
    x = builder.op(OpKind.TRANSPOSE, [op.inputs[0]], TransposeAttrs(order), op.loc)
    columns = _size(shape, kept[-1:])
    x = builder.reshape(x, (prod(shape) // columns, columns), op.loc)
    result = _of_rows(builder, op, x, _size(shape, axes))
    builder.reshape(result, graph.types[op.output].shape, op.loc, op.output)


def _compare(builder: GraphBuilder, graph: Graph, op: Op, axis: int) -> None:
    """Emit the argmax_columns of the operand with its compared axis last."""
    x, _ = _with_last(builder, graph, op, axis)
    result = builder.op(OpKind.ARGMAX_COLUMNS, [x], Attrs(), op.loc)
    builder.reshape(result, graph.types[op.output].shape, op.loc, op.output)


def _share(builder: GraphBuilder, graph: Graph, op: Op, axis: int) -> None:
    """Emit the softmax of the rows of a matrix: of the operand with its axis last."""
    x, order = _with_last(builder, graph, op, axis)
    shape = graph.types[op.output].shape
    result = builder.op(OpKind.SOFTMAX, [x], AxisAttrs(1), op.loc)
    turned = builder.reshape(result, [shape[place] for place in order], op.loc)
    back = tuple(order.index(place) for place in range(len(order)))
    builder.op(OpKind.TRANSPOSE, [turned], TransposeAttrs(back), op.loc, op.output)


def _with_last(builder: GraphBuilder, graph: Graph, op: Op, axis: int) -> tuple[str, tuple[int, ...]]:
    """Return the operand as a matrix with rows along an axis, and the order of its axes there."""
    shape = graph.types[op.inputs[0]].shape
    order = (*(kept for kept in range(len(shape)) if kept != axis), axis)
    x = builder.op(OpKind.TRANSPOSE, [op.inputs[0]], TransposeAttrs(order), op.loc)
    return builder.reshape(x, (prod(shape) // shape[axis], shape[axis]), op.loc), order


def _of_rows(builder: GraphBuilder, op: Op, x: str, count: int) -> str:
    """Emit the mean or the largest of each run of `count` rows."""
    if op.kind is OpKind.REDUCE_MAX:
        return builder.op(OpKind.MAX_ROWS, [x], MaxRowsAttrs(count), op.loc)
    return builder.op(OpKind.MEAN_ROWS, [x], MeanRowsAttrs(count), op.loc)


def _size(shape: Sequence[int], axes: Sequence[int]) -> int:
    return prod(shape[axis] for axis in axes)
