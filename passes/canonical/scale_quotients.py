"""Bring the rows of what a quotient of two products has in common to one length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir.attrs import Attrs, LayerNormAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers

# What lies in 16 bits if the linear behind it does.
_KEPT = frozenset(
    {OpKind.RESHAPE, OpKind.TRANSPOSE, OpKind.RELU, OpKind.CLIP, OpKind.MAXIMUM, OpKind.ADD, OpKind.SUB}
)
# Far below the square of any row.
EPSILON = 1e-12


def scale_quotients(graph: Graph) -> Graph:
    """Rewrite (q a) / (q b) as (n a) / (n b), n the rows of q over their root mean square.

    As in linear attention, where q is a linear and a few sums and limits behind it: rows of small numbers
    beside rows of large ones keep their bits. b gives a number for each row; (q a) * (1 / (q b)) is one too.
    Exact but for rounding: the length of a row stands above and below.
    """
    made_by = producers(graph)
    builder = GraphBuilder.like(graph)
    scaled: dict[str, str] = {}
    for op in graph.ops:
        pair = _products(op, made_by, graph)
        if pair is None:
            builder.keep(op)
            continue
        q = pair[0].inputs[0]
        if q not in scaled:
            width = graph.types[q].shape[-1]
            gamma = builder.constant(np.ones(width, np.float32), f"{q}.gain")
            beta = builder.constant(np.zeros(width, np.float32), f"{q}.offset")
            attrs = LayerNormAttrs(EPSILON, "zero")
            scaled[q] = builder.op(OpKind.LAYERNORM, [q, gamma, beta], attrs, op.loc)
        above, below = (
            builder.op(OpKind.MATMUL, [scaled[q], each.inputs[1]], Attrs(), each.loc) for each in pair
        )
        builder.op(OpKind.DIV, [above, below], Attrs(), op.loc, op.output)
    return builder.graph()


def _products(op: Op, made_by: Mapping[str, Op], graph: Graph) -> tuple[Op, Op] | None:
    """Return the products of one q that an op divides by each other, if it does that."""
    numerator, denominator = op.inputs[0], op.inputs[-1]
    if op.kind is OpKind.MUL:
        inverse = made_by.get(denominator)
        if inverse is None or inverse.kind is not OpKind.DIV or not _is_one(inverse.inputs[0], graph):
            return None
        denominator = inverse.inputs[1]
    elif op.kind is not OpKind.DIV:
        return None
    above, below = made_by.get(numerator), made_by.get(denominator)
    if above is None or below is None or above.kind is not OpKind.MATMUL or below.kind is not OpKind.MATMUL:
        return None
    alike = above.inputs[0] == below.inputs[0] and graph.types[below.output].shape[-1] == 1
    return (above, below) if alike and _is_of_linear(above.inputs[0], made_by, graph) else None


def _is_of_linear(name: str, made_by: Mapping[str, Op], graph: Graph) -> bool:
    """Tell whether a value is a linear, with moves, limits and constants that were added behind it."""
    while (op := made_by.get(name)) is not None and op.kind in _KEPT:
        computed = [each for each in op.inputs if each not in graph.constants]
        if len(computed) != 1:
            return False
        name = computed[0]
    return op is not None and op.kind is OpKind.LINEAR


def _is_one(name: str, graph: Graph) -> bool:
    constant = graph.constants.get(name)
    return constant is not None and bool((constant == 1).all())
