"""Lower convolutions of single channels over time to `depthwise_rows`."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import Attrs, ConvAttrs, GatherAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined


def lower_depthwise(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Write depthwise convolutions along one axis as moves around depthwise_rows on [samples, channels].

    One or more filters for each channel; whatever lies along the other axis, and each window of a batch, is a
    channel of its own. Where the padding is not the same on both sides (causal filters, even kernels) zero
    taps make it so; of what strides or missing padding leave out, the rows are computed and not taken.
    Declined, for lower_conv: kernels along two axes, and more padding than a kernel reaches.
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
    filters, _, *kernel = weight.shape
    if attrs.groups != channels:
        return (
            f"{filters} filters in {attrs.groups} groups for {channels} channels: "
            "a depthwise convolution has a group for each channel"
        )
    top, left, bottom, right = attrs.pads
    # The order in which the axes become [samples, batch, other axis, channels].
    if (kernel[0], top, bottom, attrs.strides[0]) == (1, 0, 0, 1):
        order, samples, other = (3, 0, 2, 1), width, height
        before, after, stride = left, right, attrs.strides[1]
    elif (kernel[1], left, right, attrs.strides[1]) == (1, 0, 0, 1):
        order, samples, other = (2, 0, 3, 1), height, width
        before, after, stride = top, bottom, attrs.strides[0]
    else:
        found = f"kernel {kernel[0]} x {kernel[1]}, pads {attrs.pads}, strides {attrs.strides}"
        return f"{found}: it must run along one axis"
    taps = kernel[0] * kernel[1]
    rows = np.arange(0, samples + before + after - taps + 1, stride)
    # Row r of depthwise_rows is the window around r; of the first window that is its middle, where possible.
    shift = min(max((taps - 1) // 2 - before, 0), samples - 1 - int(rows[-1]))
    if shift < 0:
        return f"{taps} taps, pads {before} and {after}: more windows than the {samples} samples"
    x = builder.op(OpKind.TRANSPOSE, [op.inputs[0]], TransposeAttrs(order), op.loc)
    x = builder.reshape(x, (samples, batch * other * channels), op.loc)
    if filters != channels:
        columns = np.arange(batch * other * channels).repeat(filters // channels)
        x = builder.op(OpKind.GATHER, [x], GatherAttrs(1, tuple(columns.tolist()), columns.shape), op.loc)
    centred = _centred(weight.reshape(filters, taps), before + shift)
    operands = [
        x,
        builder.constant(np.tile(centred, (batch * other, 1)), f"{op.output}.weight"),
        builder.constant(np.tile(bias, batch * other) + np.float32(0), f"{op.output}.bias"),
    ]
    result = builder.op(OpKind.DEPTHWISE_ROWS, operands, Attrs(), op.loc)
    taken = rows + shift
    if taken.size < samples:
        result = builder.op(
            OpKind.GATHER, [result], GatherAttrs(0, tuple(taken.tolist()), taken.shape), op.loc
        )
    result = builder.reshape(result, (taken.size, batch, other, filters), op.loc)
    back = tuple(int(axis) for axis in np.argsort(order))
    builder.op(OpKind.TRANSPOSE, [result], TransposeAttrs(back), op.loc, op.output)
    return None


def _centred(weight: Array, before: int) -> Array:
    """Return weight [C, taps] with zero taps added, so that the one at `before` is in the middle."""
    after = weight.shape[1] - 1 - before
    half = max(before, after)
    return np.pad(weight, ((0, 0), (half - before, half - after)))
