"""Lower convolutions of single channels over time to `depthwise_rows`."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import Attrs, ConvAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined


def lower_depthwise(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Write depthwise convolutions along one axis as views around depthwise_rows on [samples, channels].

    One filter for each channel, stride 1, and as many samples after as before. Where the padding is not the
    same on both sides (causal filters, even kernels) zero taps make it so.
    Exact: the same products and sums.
    """
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        reason = None
        if isinstance(op.attrs, ConvAttrs) and op.attrs.groups > 1:
            reason = _lower(builder, op, op.attrs)
        else:
            builder.keep(op)
        if reason is not None:
            builder.keep(op)
            if declined is not None:
                declined.append(Declined(op.loc, op.kind.value, reason))
    return builder.graph()


def _lower(builder: GraphBuilder, op: Op, attrs: ConvAttrs) -> str | None:
    """Emit the depthwise_rows, or return why not."""
    weight, bias = (builder.constant_of(name) for name in op.inputs[1:])
    if weight is None or bias is None:
        return "weight or bias is computed"
    batch, channels, height, width = builder.type_of(op.inputs[0]).shape
    if (batch, attrs.groups, weight.shape[0]) != (1, channels, channels):
        return (
            f"{weight.shape[0]} filters in {attrs.groups} groups for {channels} channels and batch {batch}: "
            "a depthwise convolution has a group and a filter for each channel, and batch 1"
        )
    top, left, bottom, right = attrs.pads
    rows, columns = weight.shape[2:]
    if (height, rows, top, bottom) == (1, 1, 0, 0):
        samples, before, after, taps = width, left, right, columns
    elif (width, columns, left, right) == (1, 1, 0, 0):
        samples, before, after, taps = height, top, bottom, rows
    else:
        return (
            f"kernel {rows} x {columns}, pads {attrs.pads} on {height} x {width}: it must run along one axis"
        )
    if attrs.strides != (1, 1) or before + after != taps - 1:
        return (
            f"{taps} taps, strides {attrs.strides}, pads {before} and {after}: "
            "the stride must be 1, and padding must give as many samples as it reads"
        )
    x = builder.reshape(op.inputs[0], (channels, samples), op.loc)
    x = builder.op(OpKind.TRANSPOSE, [x], TransposeAttrs((1, 0)), op.loc)
    operands = [
        x,
        builder.constant(_centred(weight.reshape(channels, taps), before, after), f"{op.output}.weight"),
        builder.constant(bias + np.float32(0), f"{op.output}.bias"),
    ]
    result = builder.op(OpKind.DEPTHWISE_ROWS, operands, Attrs(), op.loc)
    result = builder.op(OpKind.TRANSPOSE, [result], TransposeAttrs((1, 0)), op.loc)
    builder.reshape(result, (1, channels, height, width), op.loc, op.output)
    return None


def _centred(weight: Array, before: int, after: int) -> Array:
    """Return weight [C, taps] with zero taps added, so that as many lie before the middle as after it."""
    half = max(before, after)
    return np.pad(weight, ((0, 0), (half - before, half - after)))
