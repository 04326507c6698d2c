"""Emit the ops for a rearrangement given as an array of indices."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tmc.ir.attrs import GatherAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import OpKind
from tmc.ir.types import Array


def is_in_order(index: Array, elements: int) -> bool:
    """Tell whether indices name all elements of a source in order."""
    return index.size == elements and bool((index.reshape(-1) == np.arange(elements)).all())


def as_matrix(shape: Sequence[int]) -> tuple[int, int]:
    """Return (rows, columns) of a shape of any rank: the last axis is the columns."""
    return (prod(shape[:-1]), shape[-1]) if shape else (1, 1)


def run_length(index: Array, elements: int) -> int:
    """Return the largest L such that index [n] lists runs of L elements that start at multiples of L."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(index) != 1) + 1])
    return int(np.gcd.reduce([index.size, elements, *starts, *index[starts]]))


def columns_of(index: Array, width: int) -> Array | None:
    """Return the columns if row r of `index` [M, K] takes them all from row r of a source [M, width]."""
    columns = index[0]
    rows = np.arange(index.shape[0], dtype=index.dtype)[:, None] * width
    inside = bool(((columns >= 0) & (columns < width)).all())
    return columns if inside and bool((index == rows + columns).all()) else None


def emit_columns(builder: GraphBuilder, source: str, rows: int, columns: Array, loc: str) -> str:
    """Return source, seen as [rows, width], with these columns, in this order."""
    width = builder.type_of(source).elements // rows
    flat = builder.reshape(source, (rows, width), loc)
    if is_in_order(columns, width):
        return flat
    indices = tuple(int(column) for column in columns)
    return builder.op(OpKind.GATHER, [flat], GatherAttrs(1, indices, (len(indices),)), loc)


def emit_view(builder: GraphBuilder, source: str, index: Array, shape: Sequence[int], loc: str) -> str:
    """Return a value of this shape whose elements are source.flat[index].

    A reshape where that is enough; a gather of columns where each row stays a row; else a gather of the
    longest runs of adjacent elements, as rows.
    """
    elements = builder.type_of(source).elements
    if is_in_order(index, elements):
        return builder.reshape(source, shape, loc)
    if len(shape) == 2 and elements % shape[0] == 0:
        columns = columns_of(index.reshape(shape[0], -1), elements // shape[0])
        if columns is not None:
            return emit_columns(builder, source, shape[0], columns, loc)
    index = index.reshape(-1)
    run = run_length(index, elements)
    rows = builder.reshape(source, (elements // run, run), loc)
    indices = tuple((index[::run] // run).tolist())
    moved = builder.op(OpKind.GATHER, [rows], GatherAttrs(0, indices, (len(indices),)), loc)
    return builder.reshape(moved, shape, loc)
