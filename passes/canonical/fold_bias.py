"""Fold constants added to the result of a linear into its bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, follow, producers, uses
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined
from tmc.passes.views.element_map import Tracer


def fold_bias(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Rewrite view(linear(x, w, b)) + c to view(linear(x, w, b + c')) for constant c.

    The views between may be any reordering of the elements; c' is c in the order of the linear, and is kept
    as the fewest groups of equal rows: [1, N] for a bias, [G, N] for a vector per channel of tokens, [M, N]
    for one per token. Declined where somebody else reads the linear or a view of it.
    Exact where b is 0; else one float32 addition per element, as before.
    """
    while True:
        found: list[Declined] = []
        folded = _fold_once(graph, found)
        if folded is None:
            if declined is not None:
                declined += found
            return graph
        graph = folded


def _fold_once(graph: Graph, declined: list[Declined]) -> Graph | None:
    """Fold at most one constant into each linear; None if there was none to fold."""
    tracer, made, readers = Tracer(graph, views_only=True), producers(graph), uses(graph)
    extra: dict[str, Array] = {}
    absorbed: dict[str, str] = {}
    for op in graph.ops:
        for value, constant in _value_and_constant(op, graph, made):
            chain = _chain(value, made)
            linear = made[chain[-1]]
            if linear.kind is not OpKind.LINEAR or linear.output in extra:
                continue
            if linear.inputs[2] not in graph.constants:
                declined.append(
                    Declined(op.loc, op.kind.value, "the bias of the linear before it is computed")
                )
                continue
            if any(len(readers[name]) > 1 or name in graph.outputs for name in chain):
                declined.append(Declined(op.loc, op.kind.value, "the linear before it has other readers"))
                continue
            index = tracer.trace(value).terms[0].index
            ordered = np.empty(index.size, dtype=np.float32)
            ordered[index.reshape(-1)] = constant.reshape(-1)
            extra[linear.output] = ordered.reshape(graph.types[linear.output].shape)
            absorbed[op.output] = value
    if not extra:
        return None
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        if op.output in absorbed:
            builder.forward(op.output, absorbed[op.output])
        elif op.output in extra:
            old = builder.constant_of(op.inputs[2])
            assert old is not None, "checked with the linear"
            rows = np.repeat(old, len(extra[op.output]) // len(old), axis=0) + extra[op.output]
            bias = builder.constant(grouped_rows(rows), f"{op.output}.bias")
            builder.keep(replace(op, inputs=(*op.inputs[:2], bias)))
        else:
            builder.keep(op)
    return builder.graph()


def _value_and_constant(op: Op, graph: Graph, made: dict[str, Op]) -> list[tuple[str, Array]]:
    """Return the operand and the constant that op adds to it, if it does that and keeps the shape."""
    pairs: list[tuple[str, Array]] = []
    if op.kind is OpKind.ADD:
        candidates = [(op.inputs[0], op.inputs[1], 1), (op.inputs[1], op.inputs[0], 1)]
    elif op.kind is OpKind.SUB:
        candidates = [(op.inputs[0], op.inputs[1], -1)]
    else:
        return pairs
    for value, other, sign in candidates:
        constant = graph.constants.get(other)
        if constant is not None and value in made and graph.types[value] == graph.types[op.output]:
            pairs.append((value, np.broadcast_to(constant * np.float32(sign), graph.types[value].shape)))
    return pairs


def _chain(value: str, made: dict[str, Op]) -> tuple[str, ...]:
    """Return the value and those it is a view of, up to the first that is computed."""

    def before(name: str) -> str | None:
        of = made[name].inputs[0]
        return of if made[name].kind in (OpKind.RESHAPE, OpKind.TRANSPOSE) and of in made else None

    return follow(value, before)


def grouped_rows(rows: Array) -> Array:
    """Return rows [M, N] as [G, N] with the smallest G such that row m is line m // (M / G)."""
    count = len(rows)
    for groups in range(1, count + 1):
        if count % groups == 0:
            parts = rows.reshape(groups, count // groups, -1)
            if (parts == parts[:, :1]).all():
                return np.ascontiguousarray(parts[:, 0])
    raise AssertionError("groups of one row are always equal")
