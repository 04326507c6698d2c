"""Rewrite products of matrices that no linear took as those of rows, group by group."""

from __future__ import annotations

from math import prod

from tmc.ir.attrs import ExpandAttrs, MatmulRowsAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind


def lower_products(graph: Graph) -> Graph:
    """Rewrite matmul as matmul_rows, with moves around it.

    Every matrix of a batch is a group: the rows of all of them lie below each other, those of the second one
    turned. Where all of a batch have the second matrix in common, they are one group. Exact: the same sums.
    """
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        if op.kind is OpKind.MATMUL:
            _lower(builder, graph, op)
        else:
            builder.keep(op)
    return builder.graph()


def _lower(builder: GraphBuilder, graph: Graph, op: Op) -> None:
    x, z = op.inputs
    batch = graph.types[op.output].shape[:-2]
    rows, depth = graph.types[x].shape[-2:]
    columns = graph.types[z].shape[-1]
    groups = prod(graph.types[z].shape[:-2])
    if groups > 1:
        groups = prod(batch)
        z = _repeated(builder, z, (*batch, depth, columns), op.loc)
    x = _repeated(builder, x, (*batch, rows, depth), op.loc)
    rank = len(builder.type_of(z).shape)
    z = builder.op(OpKind.TRANSPOSE, [z], TransposeAttrs((*range(rank - 2), rank - 1, rank - 2)), op.loc)
    z = builder.reshape(z, (groups * columns, depth), op.loc)
    x = builder.reshape(x, (prod(batch) * rows, depth), op.loc)
    result = builder.op(OpKind.MATMUL_ROWS, [x, z], MatmulRowsAttrs(groups), op.loc)
    builder.reshape(result, (*batch, rows, columns), op.loc, op.output)


def _repeated(builder: GraphBuilder, name: str, shape: tuple[int, ...], loc: str) -> str:
    """Return a value as often as its batch is of a larger shape."""
    found = builder.type_of(name).shape
    if prod(found) == prod(shape):
        return builder.reshape(name, shape, loc)
    name = builder.reshape(name, (*(1,) * (len(shape) - len(found)), *found), loc)
    return builder.op(OpKind.EXPAND, [name], ExpandAttrs(shape), loc)
