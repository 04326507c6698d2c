"""Fold gathers of columns into the weights of linears."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.attrs import GatherAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.types import Array


def fold_gather(graph: Graph) -> Graph:
    """Let linears compute, or read, the columns in the order in which they are needed.

    1. gather(linear(x, w, b), columns) becomes a linear of its own, with these rows of w and columns of b.
       A fused linear for Q, K and V turns into three. So it does with one clip of all its columns behind it.
    2. linear(gather(x, columns), w, b) with a permutation becomes linear(x, w', b), columns of w permuted.
    Exact: the same products; in 2. they are added in another order.
    """
    builder, made = GraphBuilder.like(graph), producers(graph)
    for op in graph.ops:
        columns = _columns(op, graph)
        source = made.get(op.inputs[0])
        clip = source if source is not None and _is_uniform_clip(source, graph) else None
        if clip is not None:
            source = made.get(clip.inputs[0], clip)
        if columns is not None and source is not None and source.kind is OpKind.LINEAR:
            weight, bias = (builder.constant_of(name) for name in source.inputs[1:])
            if weight is not None and bias is not None:
                names = _constants(
                    builder, op, np.take(weight, columns, axis=0), np.take(bias, columns, axis=1)
                )
                name = op.output if clip is None else builder.fresh(f"{op.output}.unclipped")
                builder.keep(replace(source, inputs=(source.inputs[0], *names), output=name))
                if clip is not None:
                    builder.keep(replace(clip, inputs=(name, *clip.inputs[1:]), output=op.output))
                continue
        builder.keep(_reading_in_order(op, made.get(op.inputs[0]), graph, builder))
    return builder.graph()


def _is_uniform_clip(op: Op, graph: Graph) -> bool:
    return op.kind is OpKind.CLIP and all(graph.constants[name].size == 1 for name in op.inputs[1:])


def _columns(op: Op, graph: Graph) -> Array | None:
    """Return the columns that a 2-D gather takes."""
    if not isinstance(op.attrs, GatherAttrs) or op.attrs.axis != 1 or len(graph.types[op.output].shape) != 2:
        return None
    return np.array(op.attrs.indices)


def _reading_in_order(op: Op, source: Op | None, graph: Graph, builder: GraphBuilder) -> Op:
    """Return a linear that reads what the gather before it reads; any other op as it is."""
    if op.kind is not OpKind.LINEAR or source is None:
        return op
    columns, weight = _columns(source, graph), builder.constant_of(op.inputs[1])
    width = graph.types[source.inputs[0]].shape[-1]
    if columns is None or weight is None or sorted(columns.tolist()) != list(range(width)):
        return op
    permuted = np.empty_like(weight)
    permuted[:, columns] = weight
    name = builder.constant(permuted, f"{op.output}.weight")
    return replace(op, inputs=(source.inputs[0], name, op.inputs[2]))


def _constants(builder: GraphBuilder, op: Op, weight: Array, bias: Array) -> tuple[str, str]:
    return (
        builder.constant(np.ascontiguousarray(weight), f"{op.output}.weight"),
        builder.constant(np.ascontiguousarray(bias), f"{op.output}.bias"),
    )
