"""Lower matrix products and convolutions with constant weights to `linear`."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import Attrs, ConvAttrs, SliceAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined


def lower_linear(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Write matmul(x, W) and patch convolutions as views around a 2-D linear.

    1. matmul of x [..., K] and constant W [K, N]: linear of x [M, K] with weight W^T [N, K] and bias 0.
    2. conv whose strides are its kernel, without padding and groups: each patch becomes a row of the input,
       and each output position a row of the result.
    3. Everything else is left alone, with the reason.
    Exact: the same products and sums.
    """
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        reason = None
        if op.kind is OpKind.MATMUL:
            reason = _matmul(builder, op)
        elif isinstance(op.attrs, ConvAttrs):
            reason = _conv(builder, op, op.attrs)
        else:
            builder.keep(op)
        if reason is not None:
            builder.keep(op)
            if declined is not None:
                declined.append(Declined(op.loc, op.kind.value, reason))
    return builder.graph()


def _matmul(builder: GraphBuilder, op: Op) -> str | None:
    """Emit the linear, or return why not."""
    weight = builder.constant_of(op.inputs[1])
    if weight is None or weight.ndim != 2:
        constant = builder.constant_of(op.inputs[0]) is not None
        return "the constant operand is the left one" if constant else "no constant matrix on the right"
    shape = builder.type_of(op.inputs[0]).shape
    rows = builder.reshape(op.inputs[0], (int(np.prod(shape[:-1])), shape[-1]), op.loc)
    result = _linear(builder, rows, weight.T, np.zeros(weight.shape[1], dtype=np.float32), op)
    builder.reshape(result, (*shape[:-1], weight.shape[1]), op.loc, op.output)
    return None


def _conv(builder: GraphBuilder, op: Op, attrs: ConvAttrs) -> str | None:
    """Emit the linear over patches, or return why not."""
    weight, bias = (builder.constant_of(name) for name in op.inputs[1:])
    if weight is None or bias is None:
        return "weight or bias is computed"
    filters, channels, *kernel = weight.shape
    if tuple(kernel) != attrs.strides or any(attrs.pads) or attrs.groups != 1:
        return (
            f"kernel {tuple(kernel)}, strides {attrs.strides}, pads {attrs.pads}, groups {attrs.groups}: "
            "patches must not overlap, and there must be no padding and one group"
        )
    batch, _, height, width = builder.type_of(op.inputs[0]).shape
    rows, columns = height // kernel[0], width // kernel[1]
    ends = (batch, channels, rows * kernel[0], columns * kernel[1])
    x = op.inputs[0]
    if ends != builder.type_of(x).shape:
        x = builder.op(OpKind.SLICE, [x], SliceAttrs((0,) * 4, ends, (1,) * 4), op.loc)
    x = builder.reshape(x, (batch, channels, rows, kernel[0], columns, kernel[1]), op.loc)
    x = builder.op(OpKind.TRANSPOSE, [x], TransposeAttrs((0, 2, 4, 1, 3, 5)), op.loc)
    x = builder.reshape(x, (batch * rows * columns, channels * kernel[0] * kernel[1]), op.loc)
    result = _linear(builder, x, weight.reshape(filters, -1), bias, op)
    result = builder.reshape(result, (batch, rows, columns, filters), op.loc)
    builder.op(OpKind.TRANSPOSE, [result], TransposeAttrs((0, 3, 1, 2)), op.loc, op.output)
    return None


def _linear(builder: GraphBuilder, x: str, weight: Array, bias: Array, op: Op) -> str:
    # Adding 0 turns -0 into 0: a bias left out and a bias of -0 become the same bits.
    operands = [
        x,
        builder.constant(np.ascontiguousarray(weight), f"{op.output}.weight"),
        builder.constant(bias[None] + np.float32(0), f"{op.output}.bias"),
    ]
    return builder.op(OpKind.LINEAR, operands, Attrs(), op.loc)
