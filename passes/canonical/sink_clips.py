"""Move clips behind the constants that are added to them, so that these reach the linear before the clip."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.build import GraphBuilder
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.ops import OPS
from tmc.ir.types import Array

_VIEWS = frozenset({OpKind.RESHAPE, OpKind.TRANSPOSE})


def sink_clips(graph: Graph) -> Graph:
    """Rewrite view(clip(x, low, high)) + c to clip(view(x) + c, view(low) + c, view(high) + c).

    A relu is a clip at 0. The views between are reshapes and transposes. Only where nobody else reads the
    clip or a view of it. Exact: the result is the same sum, or the same limit plus c.
    """
    made, readers = producers(graph), uses(graph)
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        added = _added(op, graph)
        chain = () if added is None else _chain(added[0], made)
        alone = all(len(readers[each.output]) == 1 and each.output not in graph.outputs for each in chain)
        if added is None or not chain or not alone:
            builder.keep(op)
            continue
        clip, *views = reversed(chain)
        x, limits = clip.inputs[0], _limits(builder, clip)
        for view in views:
            x = builder.op(view.kind, [x], view.attrs, view.loc)
            limits = [np.asarray(OPS[view.kind].evaluate([limit], view.attrs)) for limit in limits]
        constant = np.asarray(np.broadcast_to(added[1], limits[0].shape))
        terms = [x, builder.constant(constant, f"{op.output}.added")]
        moved = builder.op(OpKind.ADD, terms, Attrs(), op.loc)
        with np.errstate(over="ignore"):
            ends = [np.clip(limit + constant, -UNLIMITED, UNLIMITED).astype(np.float32) for limit in limits]
        names = [
            builder.constant(_smallest(end), f"{op.output}.{name}")
            for end, name in zip(ends, ("low", "high"), strict=True)
        ]
        builder.op(OpKind.CLIP, [moved, *names], Attrs(), clip.loc, op.output)
    return builder.graph()


def _added(op: Op, graph: Graph) -> tuple[str, Array] | None:
    """Return the value and the constant that an op adds to it, if it does that and keeps the shape."""
    if op.kind not in (OpKind.ADD, OpKind.SUB):
        return None
    for value, other in (op.inputs, op.inputs[::-1]):
        constant = graph.constants.get(other)
        whole = value not in graph.constants and graph.types[value].shape == graph.types[op.output].shape
        if constant is not None and whole and (op.kind is OpKind.ADD or value == op.inputs[0]):
            return value, constant if op.kind is OpKind.ADD else -constant
    return None


def _chain(value: str, made: dict[str, Op]) -> tuple[Op, ...]:
    """Return the views from a value back to a clip or relu, and that; nothing where they lead elsewhere."""
    chain: list[Op] = []
    while value in made:
        chain.append(made[value])
        if chain[-1].kind in (OpKind.CLIP, OpKind.RELU):
            return tuple(chain)
        if chain[-1].kind not in _VIEWS:
            break
        value = chain[-1].inputs[0]
    return ()


def _limits(builder: GraphBuilder, clip: Op) -> list[Array]:
    """Return low and high of a clip in the shape of its operand."""
    shape = builder.type_of(clip.inputs[0]).shape
    ends: list[Array | None] = [np.float32(0), np.float32(UNLIMITED)]  # type: ignore[list-item]
    if clip.kind is OpKind.CLIP:
        ends = [builder.constant_of(name) for name in clip.inputs[1:]]
    assert all(end is not None for end in ends), "the limits of a clip are constants"
    return [np.array(np.broadcast_to(np.asarray(end), shape)) for end in ends]


def _smallest(array: Array) -> Array:
    """Return a single number in place of an array of equal ones."""
    return array.reshape(-1)[0].reshape(()) if (array == array.flat[0]).all() else array
