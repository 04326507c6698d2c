"""Write any rearrangement of elements with the ops that move rows, columns or whole matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tmc.ir.attrs import GatherAttrs, PermuteRowsAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import OpKind
from tmc.ir.types import Array
from tmc.passes.views.emit_view import as_matrix, columns_of, is_in_order, run_length

# Runs of fewer elements are moved as rows only where nothing else fits.
_SHORT_RUN = 4


def emit_moves(builder: GraphBuilder, source: str, index: Array, shape: Sequence[int], loc: str) -> str:
    """Return a value whose elements are source.flat[index], in order; each op is one on a matrix.

    shape: in which the value is needed, a hint; it need not have it.
    In order of preference: nothing; an exchange of two axes (permute_rows, or transpose where single elements
    change places); one gather of rows or of columns; one gather of runs of elements as rows of that length;
    a gather of rows and one of columns; the rows that are used at all, a transpose, then such gathers; single
    elements.
    """
    index, matrix = index.reshape(-1), as_matrix(shape)
    return (
        _gathered(builder, source, index, matrix, loc)
        or _used_rows(builder, source, index, matrix, loc)
        or _turned(builder, source, index, matrix, loc)
        or _elements(builder, source, index, loc)
    )


def _gathered(
    builder: GraphBuilder, source: str, index: Array, shape: tuple[int, int], loc: str
) -> str | None:
    """Emit nothing, one op besides reshapes, or a gather of rows and one of columns, if that is enough."""
    if is_in_order(index, builder.type_of(source).elements):
        return builder.current(source)
    return (
        _exchange(builder, source, index, loc)
        or _rows_and_columns(builder, source, index, shape, loc, both=False)
        or _same_columns(builder, source, index, loc)
        or _runs(builder, source, index, loc, _SHORT_RUN)
        or _rows_and_columns(builder, source, index, shape, loc, both=True)
        or _runs(builder, source, index, loc, 2)
    )


def _gather(builder: GraphBuilder, matrix: str, axis: int, indices: Array, loc: str) -> str:
    if is_in_order(indices, builder.type_of(matrix).shape[axis]):
        return matrix
    attrs = GatherAttrs(axis, tuple(indices.tolist()), (len(indices),))
    return builder.op(OpKind.GATHER, [matrix], attrs, loc)


def _exchange(builder: GraphBuilder, source: str, index: Array, loc: str) -> str | None:
    """Emit permute_rows or transpose if index lists [outer, inner, run] in the order [inner, outer, run]."""
    exchanged = _exchanged(index, builder.type_of(source).elements)
    if exchanged is None:
        return None
    outer, inner, run = exchanged
    if run == 1:
        matrix = builder.reshape(source, (outer, inner), loc)
        return builder.op(OpKind.TRANSPOSE, [matrix], TransposeAttrs((1, 0)), loc)
    rows = builder.reshape(source, (outer * inner, run), loc)
    return builder.op(OpKind.PERMUTE_ROWS, [rows], PermuteRowsAttrs(outer), loc)


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


def _rows_and_columns(
    builder: GraphBuilder, source: str, index: Array, shape: tuple[int, int], loc: str, both: bool
) -> str | None:
    """Emit a gather of rows, of columns, or with `both` set one of each, if that gives the matrix `shape`."""
    rows, width = as_matrix(builder.type_of(source).shape)
    row, column = np.divmod(index.reshape(shape), width)
    if not bool((row == row[:, :1]).all() and (column == column[:1]).all()):
        return None
    if not both and not is_in_order(row[:, 0], rows) and not is_in_order(column[0], width):
        return None
    matrix = builder.reshape(source, (rows, width), loc)
    # What leaves fewer elements to the other comes first.
    if len(row) > rows:
        return _gather(builder, _gather(builder, matrix, 1, column[0], loc), 0, row[:, 0], loc)
    return _gather(builder, _gather(builder, matrix, 0, row[:, 0], loc), 1, column[0], loc)


def _same_columns(builder: GraphBuilder, source: str, index: Array, loc: str) -> str | None:
    """Emit a gather of columns of the source's own rows, more of them than a row of the result has."""
    rows, width = as_matrix(builder.type_of(source).shape)
    if rows == 1 or index.size % rows != 0:
        return None
    columns = columns_of(index.reshape(rows, -1), width)
    return (
        None
        if columns is None
        else _gather(builder, builder.reshape(source, (rows, width), loc), 1, columns, loc)
    )


def _runs(builder: GraphBuilder, source: str, index: Array, loc: str, shortest: int) -> str | None:
    """Emit a gather of runs of adjacent elements, seen as rows."""
    elements = builder.type_of(source).elements
    run = run_length(index, elements)
    if run < shortest:
        return None
    matrix = builder.reshape(source, (elements // run, run), loc)
    return _gather(builder, matrix, 0, index[::run] // run, loc)


def _used_rows(
    builder: GraphBuilder, source: str, index: Array, shape: tuple[int, int], loc: str
) -> str | None:
    """Emit a gather of the rows of which anything is used, if that is not all, then what is left to do."""
    rows, width = as_matrix(builder.type_of(source).shape)
    row, column = np.divmod(index, width)
    used, place = np.unique(row, return_inverse=True)
    if used.size == rows or width == 1:
        return None
    matrix = _gather(builder, builder.reshape(source, (rows, width), loc), 0, used, loc)
    return emit_moves(builder, matrix, place.reshape(-1) * width + column, shape, loc)


def _turned(builder: GraphBuilder, source: str, index: Array, shape: tuple[int, int], loc: str) -> str | None:
    """Emit a transpose that makes neighbours of what lies a stride apart, then what is left to do."""
    elements = builder.type_of(source).elements
    steps = np.diff(index[: shape[1]])
    strides = [int(steps[steps > 0][0])] if (steps > 0).any() else []
    for stride in dict.fromkeys((*strides, builder.type_of(source).shape[-1])):
        if stride < 2 or stride == elements or elements % stride != 0:
            continue
        left = index % stride * (elements // stride) + index // stride
        matrix = builder.reshape(source, (elements // stride, stride), loc)
        turned = builder.op(OpKind.TRANSPOSE, [matrix], TransposeAttrs((1, 0)), loc)
        moved = _gathered(builder, turned, left, shape, loc)
        if moved is not None:
            return moved
    return None


def _elements(builder: GraphBuilder, source: str, index: Array, loc: str) -> str:
    """Emit a gather of single elements: columns of one row of all of them."""
    flat = builder.reshape(source, (1, builder.type_of(source).elements), loc)
    return _gather(builder, flat, 1, index, loc)
