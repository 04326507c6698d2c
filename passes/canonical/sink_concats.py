"""Move concatenations behind the constants that are added to them, or that they are multiplied by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import Attrs, ConcatAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.ops import WEIGHTED
from tmc.ir.types import Array
from tmc.passes.canonical.affine import affine
from tmc.passes.views.element_map import Tracer

_VIEWS = frozenset({OpKind.RESHAPE, OpKind.TRANSPOSE})
# What takes a factor or an offset in, or hands it on to what does.
_TAKES = WEIGHTED | {OpKind.RELU, OpKind.CLIP, OpKind.CONCAT}


@dataclass(frozen=True, slots=True, eq=False)
class _Constants:
    """Factor and offset of each element of a concatenation, in its shape; and the op that has them."""

    factor: Array
    offset: Array
    op: Op


def sink_concats(graph: Graph) -> Graph:
    """Rewrite view(concat(x, t)) * a + c to view(concat(x * a' + c', t * a'' + c'')) for constant a and c.

    Of a class token t before tokens x this leaves positions that the linear behind x takes in. Only where
    nobody else reads the concatenation or a view of it, and every part is a constant or leads by views to
    something that takes factors and offsets in. Exact, but for the rounding of constants.
    """
    while True:
        made, readers, tracer = producers(graph), uses(graph), Tracer(graph, views_only=True)
        found: dict[str, _Constants] = {}
        absorbed: dict[str, str] = {}
        for op in graph.ops:
            what = affine(op, graph)
            concat = None if what is None else _concat(what.x, graph, made, readers)
            if what is None or concat is None or concat.output in found:
                continue
            index, shape = tracer.trace(what.x).terms[0].index, graph.types[what.x].shape
            factor, offset = (
                _ordered(array, index, graph, concat, shape) for array in (what.factor, what.offset)
            )
            found[concat.output] = _Constants(factor, offset, op)
            absorbed[op.output] = what.x
        if not found:
            return graph
        builder = GraphBuilder.like(graph)
        for op in graph.ops:
            if op.output in absorbed:
                builder.forward(op.output, absorbed[op.output])
            elif op.output in found and isinstance(op.attrs, ConcatAttrs):
                builder.op(
                    op.kind, _parts(builder, op, op.attrs.axis, found[op.output]), op.attrs, op.loc, op.output
                )
            else:
                builder.keep(op)
        graph = builder.graph()


def _concat(
    value: str, graph: Graph, made: Mapping[str, Op], readers: Mapping[str, tuple[Op, ...]]
) -> Op | None:
    """Return the concatenation that a value is a view of, if it may take constants in."""
    while value in made and len(readers[value]) == 1 and value not in graph.outputs:
        op = made[value]
        if op.kind is OpKind.CONCAT:
            return op if all(_takes(name, graph, made) for name in op.inputs) else None
        if op.kind not in _VIEWS:
            return None
        value = op.inputs[0]
    return None


def _takes(part: str, graph: Graph, made: Mapping[str, Op]) -> bool:
    """Tell whether a part is constant, or leads by views and constants to what takes constants in."""
    while part in made:
        what = affine(made[part], graph)
        if what is None and made[part].kind not in _VIEWS:
            break
        part = made[part].inputs[0] if what is None else what.x
    return part in graph.constants or (part in made and made[part].kind in _TAKES)


def _ordered(array: Array, index: Array, graph: Graph, concat: Op, shape: tuple[int, ...]) -> Array:
    """Return what is given for a view of a concatenation for that itself."""
    ordered = np.empty(index.size, dtype=np.float64)
    ordered[index.reshape(-1)] = np.broadcast_to(array, shape).reshape(-1)
    return ordered.reshape(graph.types[concat.output].shape)


def _parts(builder: GraphBuilder, concat: Op, axis: int, constants: _Constants) -> list[str]:
    """Return the parts of a concatenation with their factors and offsets."""
    ends = np.cumsum([builder.type_of(name).shape[axis] for name in concat.inputs])[:-1]
    factors, offsets = np.split(constants.factor, ends, axis), np.split(constants.offset, ends, axis)
    parts, loc = [], constants.op.loc
    for name, factor, offset in zip(concat.inputs, factors, offsets, strict=True):
        array = builder.constant_of(name)
        if array is not None:
            parts.append(builder.constant((array * factor + offset).astype(np.float32), name))
            continue
        value = name
        if bool((factor != 1).any()):
            operand = builder.constant(factor.astype(np.float32), f"{name}.factor")
            value = builder.op(OpKind.MUL, [value, operand], Attrs(), loc)
        if bool((offset != 0).any()):
            operand = builder.constant(offset.astype(np.float32), f"{name}.offset")
            value = builder.op(OpKind.ADD, [value, operand], Attrs(), loc)
        parts.append(value)
    return parts
