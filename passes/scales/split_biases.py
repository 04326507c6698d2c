"""Add what differs from row to row behind a linear that cannot take it as its bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.passes.scales.value_roles import Role, roles_and_gaps

_INT16 = frozenset({Role.INPUT, Role.RESIDUAL, Role.POOLED, Role.SHARE})


def split_biases(graph: Graph) -> Graph:
    """Rewrite linear(x, w, b) to linear(x, w, 0) + b, b of several rows, where int8 is read or written.

    Positions behind convolutions, for one: kernels take a bias for each row where int16 is made of int16.
    Of [G, N] for M rows each row of b stands for M / G rows of the sum. Exact but for the order of two sums.
    Raises: NoIntegerForm naming an op that has no integer form.
    """
    if all(op.kind is not OpKind.LINEAR or _rows(graph, op) == 1 for op in graph.ops):
        return graph
    roles, gaps = roles_and_gaps(graph)
    narrowed = {gap.op.output for gap in gaps}  # these will read int8
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        if op.kind is not OpKind.LINEAR or _rows(graph, op) == 1:
            builder.keep(op)
            continue
        if op.output not in narrowed and {roles[op.inputs[0]], roles[op.output]} <= _INT16:
            builder.keep(op)
            continue
        x, weight, bias = op.inputs
        name = builder.fresh(f"{op.output}.product")
        zeros = builder.constant(np.zeros((1, graph.types[bias].shape[1]), np.float32), f"{name}.bias")
        builder.keep(replace(op, inputs=(x, weight, zeros), output=name))
        repeats = graph.types[op.output].shape[0] // _rows(graph, op)
        rows = builder.constant(np.repeat(graph.constants[bias], repeats, axis=0), f"{op.output}.rows")
        builder.op(OpKind.ADD, [name, rows], Attrs(), op.loc, op.output)
    return builder.graph()


def _rows(graph: Graph, op: Op) -> int:
    """Return how many rows the bias of a linear has."""
    return graph.types[op.inputs[2]].shape[0]
