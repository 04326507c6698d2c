"""Lower convolutions with constant weights to `linear` over patches."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import ConcatAttrs, ConvAttrs, GatherAttrs, SliceAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.canonical.lower_linear import emit_linear
from tmc.passes.pipeline import Declined


def lower_conv(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Write convolutions as moves around a 2-D linear: each window becomes a row of its input.

    1. Strides that are the kernel, no padding, one group: the windows are patches, side by side.
    2. Else windows are gathered along both axes, with zeros joined to the ends where there is padding. Taps
       that are 0 in all filters, as between those of a dilated kernel, are left out; groups become blocks of
       a weight that is 0 elsewhere.
    Exact: the same products and sums.
    """
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        if not isinstance(op.attrs, ConvAttrs):
            builder.keep(op)
            continue
        weight, bias = (builder.constant_of(name) for name in op.inputs[1:])
        if weight is None or bias is None:
            builder.keep(op)
            if declined is not None:
                declined.append(Declined(op.loc, op.kind.value, "weight or bias is computed"))
        elif weight.shape[2:] == op.attrs.strides and not any(op.attrs.pads) and op.attrs.groups == 1:
            _patches(builder, op, weight, bias)
        else:
            _windows(builder, op, op.attrs, weight, bias)
    return builder.graph()


def _patches(builder: GraphBuilder, op: Op, weight: Array, bias: Array) -> None:
    filters, channels, *kernel = weight.shape
    batch, _, height, width = builder.type_of(op.inputs[0]).shape
    rows, columns = height // kernel[0], width // kernel[1]
    ends = (batch, channels, rows * kernel[0], columns * kernel[1])
    x = op.inputs[0]
    if ends != builder.type_of(x).shape:
        x = builder.op(OpKind.SLICE, [x], SliceAttrs((0,) * 4, ends, (1,) * 4), op.loc)
    x = builder.reshape(x, (batch, channels, rows, kernel[0], columns, kernel[1]), op.loc)
    x = builder.op(OpKind.TRANSPOSE, [x], TransposeAttrs((0, 2, 4, 1, 3, 5)), op.loc)
    x = builder.reshape(x, (batch * rows * columns, channels * kernel[0] * kernel[1]), op.loc)
    result = emit_linear(builder, x, weight.reshape(filters, -1), bias, op)
    _channels_first(builder, result, (batch, rows, columns, filters), op)


def _windows(builder: GraphBuilder, op: Op, attrs: ConvAttrs, weight: Array, bias: Array) -> None:
    batch, channels = builder.type_of(op.inputs[0]).shape[:2]
    top, left, bottom, right = attrs.pads
    x = builder.op(OpKind.TRANSPOSE, [op.inputs[0]], TransposeAttrs((0, 2, 3, 1)), op.loc)
    for axis, (before, after) in enumerate(((left, right), (top, bottom))):
        x = _padded(builder, x, 2 - axis, before, after, op.loc)
    counts, taps = [], []
    for axis, padded in enumerate(builder.type_of(x).shape[1:3]):
        first = np.arange(0, padded - weight.shape[2 + axis] + 1, attrs.strides[axis])
        used = np.flatnonzero(weight.any(axis=(0, 1, 3 - axis)))
        used = used if used.size else np.zeros(1, dtype=np.int64)
        places = (first[:, None] + used).reshape(-1)
        if not np.array_equal(places, np.arange(padded)):
            gather = GatherAttrs(1 + axis, tuple(places.tolist()), (places.size,))
            x = builder.op(OpKind.GATHER, [x], gather, op.loc)
        counts.append(first.size)
        taps.append(used)
    (rows, columns), (down, across) = counts, (taps[0].size, taps[1].size)
    x = builder.reshape(x, (batch, rows, down, columns, across, channels), op.loc)
    x = builder.op(OpKind.TRANSPOSE, [x], TransposeAttrs((0, 1, 3, 2, 4, 5)), op.loc)
    x = builder.reshape(x, (batch * rows * columns, down * across * channels), op.loc)
    dense = _dense(weight, attrs.groups)[:, :, taps[0]][:, :, :, taps[1]]
    filters = dense.shape[0]
    result = emit_linear(builder, x, dense.transpose(0, 2, 3, 1).reshape(filters, -1), bias, op)
    _channels_first(builder, result, (batch, rows, columns, filters), op)


def _padded(builder: GraphBuilder, x: str, axis: int, before: int, after: int, loc: str) -> str:
    """Return x with zeros before and behind it along an axis."""
    parts = []
    for count in (before, after):
        shape = list(builder.type_of(x).shape)
        shape[axis] = count
        parts.append([builder.constant(np.zeros(shape, np.float32), "zeros")] if count else [])
    names = [*parts[0], x, *parts[1]]
    return builder.op(OpKind.CONCAT, names, ConcatAttrs(axis), loc) if len(names) > 1 else x


def _dense(weight: Array, groups: int) -> Array:
    """Return weight [O, C / groups, KH, KW] of groups as [O, C, KH, KW] of one, 0 between groups."""
    filters, per_group, *kernel = weight.shape
    dense = np.zeros((groups, filters // groups, groups, per_group, *kernel), dtype=weight.dtype)
    each = np.arange(groups)
    dense[each, :, each] = weight.reshape(groups, filters // groups, per_group, *kernel)
    return dense.reshape(filters, groups * per_group, *kernel)


def _channels_first(builder: GraphBuilder, result: str, shape: tuple[int, ...], op: Op) -> None:
    """Emit the result of a convolution from rows of filters."""
    result = builder.reshape(result, shape, op.loc)
    builder.op(OpKind.TRANSPOSE, [result], TransposeAttrs((0, 3, 1, 2)), op.loc, op.output)
