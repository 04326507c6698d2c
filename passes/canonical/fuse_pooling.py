"""Recognise sums of tokens that are weighted by a softmax: pooling by attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from tmc.ir.attrs import AttentionAttrs, Attrs, AxisAttrs, ReduceAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.types import Array

_REORDERS = frozenset({OpKind.RESHAPE, OpKind.TRANSPOSE})


@dataclass(frozen=True, slots=True)
class _Pooling:
    """`factor` times the sum over t of softmax(scores)[t] x[t]; x is [T, C] in its last axes, or [C, T]."""

    scores: str
    x: str
    tokens_last: bool
    factor: float


def fuse_pooling(graph: Graph) -> Graph:
    """Rewrite the sum over t of softmax(s)[t] x[t], a score for each token, to attention of one query.

    1. As a product: softmax(s) x with one row of weights.
    2. As a mean: mean over tokens of softmax(s) * x, which is the sum over T.
    The query is the first unit vector, the keys have the scores as their first column and zeros behind it.
    Scores that a linear computes are keys of that linear, less its bias, which a softmax does not see.
    Exact but for float32 rounding.
    """
    builder, made = GraphBuilder.like(graph), producers(graph)
    for op in graph.ops:
        found = _product(op, graph, made) or _mean(op, graph, made)
        if found is None:
            builder.keep(op)
        else:
            _emit(builder, found, op, graph, made)
    return builder.graph()


def _product(op: Op, graph: Graph, made: Mapping[str, Op]) -> _Pooling | None:
    if op.kind is not OpKind.MATMUL:
        return None
    scores = _weights(op.inputs[0], graph, made)
    x = graph.types[op.inputs[1]].shape
    alone = len(x) >= 2 and prod(x[:-2]) == 1
    return _Pooling(scores, op.inputs[1], False, 1.0) if scores is not None and alone else None


def _mean(op: Op, graph: Graph, made: Mapping[str, Op]) -> _Pooling | None:
    product = made.get(op.inputs[0])
    if op.kind is not OpKind.REDUCE_MEAN or product is None or product.kind is not OpKind.MUL:
        return None
    assert isinstance(op.attrs, ReduceAttrs)
    for weights, x in (product.inputs, product.inputs[::-1]):
        scores, shape = _weights(weights, graph, made), graph.types[x].shape
        if scores is None or len(shape) < 2 or prod(shape[:-2]) != 1 or len(op.attrs.axes) != 1:
            continue
        (axis,) = op.attrs.axes
        behind = len(shape) - 1 - axis
        of_tokens = graph.types[weights].shape[-1 - behind :][:1] == (shape[axis],)
        if behind in (0, 1) and of_tokens and graph.types[product.output].shape == shape:
            return _Pooling(scores, x, behind == 0, 1.0 / shape[axis])
    return None


def _weights(value: str, graph: Graph, made: Mapping[str, Op]) -> str | None:
    """Return s if a value is softmax(s), all elements of which are along one axis, in any shape."""
    op = made.get(value)
    while op is not None and op.kind in _REORDERS:
        op = made.get(op.inputs[0])
    if op is None or not isinstance(op.attrs, AxisAttrs) or op.kind is not OpKind.SOFTMAX:
        return None
    shape = graph.types[op.output].shape
    return op.inputs[0] if shape[op.attrs.axis] == prod(shape) > 1 else None


def _emit(builder: GraphBuilder, found: _Pooling, op: Op, graph: Graph, made: Mapping[str, Op]) -> None:
    shape = graph.types[found.x].shape[-2:]
    x = builder.reshape(found.x, shape, op.loc)
    if found.tokens_last:
        x = builder.op(OpKind.TRANSPOSE, [x], TransposeAttrs((1, 0)), op.loc)
    tokens, columns = builder.type_of(x).shape
    source, weight = _scored(builder, found.scores, tokens, graph, made, op.loc)
    rows = np.zeros((columns, weight.shape[1]), dtype=np.float32)
    rows[0] = weight[0]
    operands = [
        source,
        builder.constant(rows, f"{op.output}.keys.weight"),
        builder.constant(np.zeros((1, columns), dtype=np.float32), f"{op.output}.keys.bias"),
    ]
    keys = builder.op(OpKind.LINEAR, operands, Attrs(), op.loc)
    query = builder.constant(np.eye(1, columns, dtype=np.float32), f"{op.output}.query")
    result = builder.op(OpKind.ATTENTION, [query, keys, x], AttentionAttrs(1, 1.0), op.loc)
    if found.factor != 1.0:
        factor = builder.constant(np.array(found.factor, dtype=np.float32), f"{op.output}.factor")
        result = builder.op(OpKind.MUL, [result, factor], Attrs(), op.loc)
    builder.forward(op.output, builder.reshape(result, graph.types[op.output].shape, op.loc))


def _scored(
    builder: GraphBuilder, scores: str, tokens: int, graph: Graph, made: Mapping[str, Op], loc: str
) -> tuple[str, Array]:
    """Return a matrix, and the row of weights with which a linear of it gives the scores, less their bias."""
    op = made.get(scores)
    while op is not None and op.kind in _REORDERS:
        op = made.get(op.inputs[0])
    weight = graph.constants.get(op.inputs[1]) if op is not None and op.kind is OpKind.LINEAR else None
    if op is not None and weight is not None and weight.shape[0] == 1:
        return op.inputs[0], weight
    return builder.reshape(scores, (tokens, 1), loc), np.ones((1, 1), dtype=np.float32)
