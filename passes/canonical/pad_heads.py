"""Give heads a width that kernels take: columns of zeros behind those of each head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tmc.ir.attrs import AttentionAttrs, GatherAttrs, RopeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.types import Array

WORD_BYTES = 4  # kernels take four columns of int8 at a time


def pad_heads(graph: Graph) -> Graph:
    """Return an equal graph in which heads are multiples of four columns wide.

    The linears of Q, K and V get rows of zero weights, where attention alone reads their results, as they are
    or rotated; products over zeros add nothing to scores, and a rotation leaves them zero. What comes out of
    attention behind the columns of each head is zero too: linears that read it get zero weights there, for
    other readers the columns are gathered. Exact.
    """
    made_by, readers, builder = producers(graph), uses(graph), GraphBuilder.like(graph)
    rows: dict[str, AttentionAttrs] = {}
    for op in graph.ops:
        if isinstance(op.attrs, AttentionAttrs) and _is_padded(graph, op, op.attrs, made_by, readers):
            rows |= dict.fromkeys(op.inputs[:3], op.attrs)
            turned = (made_by[name] for name in op.inputs[:2])
            rows |= {each.inputs[0]: op.attrs for each in turned if each.kind is OpKind.ROPE}
    tables: dict[str, str] = {}  # those of one Q and its K stay one
    columns: dict[str, AttentionAttrs] = {}
    for op in graph.ops:
        if op.kind is OpKind.LINEAR and (op.output in rows or op.inputs[0] in columns):
            x, weight, bias = op.inputs
            w, b = graph.constants[weight], graph.constants[bias]
            if op.inputs[0] in columns:
                w = _spread(w, columns[x], axis=1)
            if op.output in rows:
                w, b = _spread(w, rows[op.output], axis=0), _spread(b, rows[op.output], axis=-1)
            inputs = (x, builder.constant(w, f"{weight}.padded"), builder.constant(b, f"{bias}.padded"))
            builder.keep(replace(op, inputs=inputs))
        elif op.kind is OpKind.ROPE and op.output in rows:
            for name, fill in zip(op.inputs[1:], (1.0, 0.0), strict=True):
                if name not in tables:
                    tables[name] = builder.constant(
                        _more_pairs(graph.constants[name], fill), f"{name}.padded"
                    )
            builder.keep(replace(op, inputs=(op.inputs[0], *(tables[name] for name in op.inputs[1:]))))
        elif isinstance(op.attrs, AttentionAttrs) and op.inputs[0] in rows:
            linears = all(reader.kind is OpKind.LINEAR for reader in readers.get(op.output, ()))
            if linears and op.output not in graph.outputs:
                columns[op.output] = op.attrs
                builder.keep(op)
            else:
                taken = tuple(_places(graph.types[op.output].shape[1], op.attrs).tolist())
                padded = builder.op(op.kind, op.inputs, op.attrs, op.loc)
                attrs = GatherAttrs(1, taken, (len(taken),))
                builder.op(OpKind.GATHER, [padded], attrs, op.loc, op.output)
        else:
            builder.keep(op)
    return builder.graph()


def _is_padded(
    graph: Graph,
    op: Op,
    attrs: AttentionAttrs,
    made_by: Mapping[str, Op],
    readers: Mapping[str, tuple[Op, ...]],
) -> bool:
    """Tell whether heads have another width, and Q, K and V are linears, rotated or not, for this alone."""

    def is_own(name: str, reader: Op) -> bool:
        maker = made_by.get(name)
        if maker is None or set(readers[name]) != {reader} or name in graph.outputs:
            return False
        turned = maker.attrs == RopeAttrs(attrs.heads) and maker.kind is OpKind.ROPE
        return is_own(maker.inputs[0], maker) if turned else maker.kind is OpKind.LINEAR

    operands = op.inputs[:3]
    alone = all(is_own(name, op) for name in operands)
    width = graph.types[op.inputs[0]].shape[1] // attrs.heads
    return alone and len(set(operands)) == len(operands) and width % WORD_BYTES != 0


def _more_pairs(table: Array, fill: float) -> Array:
    """Return a table of a rotation, [P, pairs], with as many pairs as a padded head has."""
    pairs = table.shape[1]
    more = -(-2 * pairs // WORD_BYTES) * WORD_BYTES // 2 - pairs
    return np.pad(table, ((0, 0), (0, more)), constant_values=fill)


def _places(columns: int, attrs: AttentionAttrs) -> Array:
    """Return where each of so many columns of all heads is once these are padded."""
    width = columns // attrs.heads
    padded = -(-width // WORD_BYTES) * WORD_BYTES
    return np.asarray(np.arange(columns) + np.arange(columns) // width * (padded - width))


def _spread(array: Array, attrs: AttentionAttrs, axis: int) -> Array:
    """Return an array with zeros behind those of each head along an axis."""
    columns = array.shape[axis]
    places = _places(columns, attrs)
    width = columns // attrs.heads
    shape = list(array.shape)
    shape[axis] = attrs.heads * -(-width // WORD_BYTES) * WORD_BYTES
    result = np.zeros(shape, array.dtype)
    np.moveaxis(result, axis, 0)[places] = np.moveaxis(array, axis, 0)
    return result
