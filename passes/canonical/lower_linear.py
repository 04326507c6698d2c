"""Lower matrix products with constant weights to `linear`."""

from __future__ import annotations

from math import prod

import numpy as np

from tmc.ir.attrs import Attrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined


def lower_linear(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Write products with a constant matrix as views around a 2-D linear.

    1. matmul of x [..., K] and constant W [K, N]: linear of x [M, K] with weight W^T [N, K] and bias 0.
    2. matmul of constant W [N, K] and x [..., K, M]: the same of x with its last two axes exchanged, W as
       the weight, and the last two axes of the result exchanged.
    3. Everything else is left alone, with the reason.
    Exact: the same products and sums.
    """
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        reason = _matmul(builder, graph, op) if op.kind is OpKind.MATMUL else ""
        if reason is not None:
            builder.keep(op)
            if reason and declined is not None:
                declined.append(Declined(op.loc, op.kind.value, reason))
    return builder.graph()


def _matmul(builder: GraphBuilder, graph: Graph, op: Op) -> str | None:
    """Emit the linear, or return why not."""
    left, right = (builder.constant_of(name) for name in op.inputs)
    shape = graph.types[op.output].shape
    if left is None and right is not None and _is_matrix(right):
        result = _rows(builder, op.inputs[0], right.reshape(right.shape[-2:]).T, op)
        builder.reshape(result, shape, op.loc, op.output)
        return None
    if left is not None and right is None and _is_matrix(left):
        x = _exchanged(builder, op.inputs[1], op.loc)
        result = _rows(builder, x, left.reshape(left.shape[-2:]), op)
        result = builder.reshape(result, (*shape[:-2], shape[-1], shape[-2]), op.loc)
        builder.forward(op.output, _exchanged(builder, result, op.loc))
        return None
    return (
        "no constant matrix on one side"
        if left is None and right is None
        else "a matrix for each of several x"
    )


def _is_matrix(constant: Array) -> bool:
    return prod(constant.shape[:-2]) == 1


def _exchanged(builder: GraphBuilder, value: str, loc: str) -> str:
    """Return a value with its last two axes exchanged."""
    rank = len(builder.type_of(value).shape)
    permutation = (*range(rank - 2), rank - 1, rank - 2)
    return builder.op(OpKind.TRANSPOSE, [value], TransposeAttrs(permutation), loc)


def _rows(builder: GraphBuilder, x: str, weight: Array, op: Op) -> str:
    """Emit the linear of x [..., K] as rows, without bias."""
    shape = builder.type_of(x).shape
    rows = builder.reshape(x, (prod(shape[:-1]), shape[-1]), op.loc)
    return emit_linear(builder, rows, weight, np.zeros(len(weight), dtype=np.float32), op)


def emit_linear(builder: GraphBuilder, x: str, weight: Array, bias: Array, op: Op) -> str:
    """Emit the linear of rows x [M, K] with constant weight [N, K] and bias [N]."""
    # Adding 0 turns -0 into 0: a bias left out and a bias of -0 become the same bits.
    operands = [
        x,
        builder.constant(np.ascontiguousarray(weight), f"{op.output}.weight"),
        builder.constant(bias[None] + np.float32(0), f"{op.output}.bias"),
    ]
    return builder.op(OpKind.LINEAR, operands, Attrs(), op.loc)
