"""Q and K of attention that are to be stored in int16."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tmc.ir.attrs import AttentionAttrs, RopeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import NoIntegerForm
from tmc.ir.graph import Graph, Op, OpKind, producers

_QUERY_KEY = 2  # operands of an attention


def wide_attention(graph: Graph, wide: Collection[str]) -> tuple[Graph, frozenset[str]]:
    """Return an equal canonical float graph, and the values that are int16 in it.

    A rotation writes Q and K of int16, for it saturates them to as many bits as the sums of their products
    have room for. So where Q or K of an attention, or what is rotated to be it, is among the wide values,
    both are, and each that no rotation writes goes through one by angles of 0.
    Raises: NoIntegerForm for heads that have no pairs of columns.
    """
    made_by = producers(graph)
    attentions = [op for op in graph.ops if op.kind is OpKind.ATTENTION]
    operands = {name for op in attentions for name in op.inputs[:_QUERY_KEY]}
    turned = _turned(attentions, {name for name in operands if _is_wide(made_by, name, wide)})
    if not turned:
        return graph, frozenset(wide)
    builder = GraphBuilder.like(graph)
    rotations: dict[str, str] = {}
    for op in graph.ops:
        if op.kind is OpKind.ATTENTION and not turned.isdisjoint(op.inputs[:_QUERY_KEY]):
            for name in op.inputs[:_QUERY_KEY]:
                if name not in rotations:
                    maker = made_by.get(name, op)
                    rotated = maker.kind is OpKind.ROPE
                    rotations[name] = name if rotated else _rotation(builder, op, name, maker.loc)
            inputs = (*(rotations[name] for name in op.inputs[:_QUERY_KEY]), *op.inputs[_QUERY_KEY:])
            op = Op(op.kind, inputs, op.output, op.attrs, op.loc)
        builder.keep(op)
    return builder.graph(), frozenset(wide) | frozenset(rotations.values())


def _is_wide(made_by: dict[str, Op], name: str, wide: Collection[str]) -> bool:
    maker = made_by.get(name)
    return name in wide or (maker is not None and maker.kind is OpKind.ROPE and maker.inputs[0] in wide)


def _turned(attentions: list[Op], found: set[str]) -> set[str]:
    """Return the values and those that are multiplied by them, in whichever attention."""
    while True:
        pairs = [set(op.inputs[:_QUERY_KEY]) for op in attentions]
        more = found.union(*(pair for pair in pairs if not found.isdisjoint(pair)))
        if more == found:
            return found
        found = more


def _rotation(builder: GraphBuilder, op: Op, name: str, loc: str) -> str:
    """Add a rotation of an operand of an attention by angles of 0, of a node `loc`; return its result."""
    assert isinstance(op.attrs, AttentionAttrs)
    width = builder.type_of(name).shape[1] // op.attrs.heads
    if width % 2:
        raise NoIntegerForm(
            op.loc,
            f"found 16 bits for Q and K in heads of {width} columns, allowed an even number",
            "leave --bits out for them, or train with heads of one column more",
        )
    output = builder.fresh(f"{name}.turned")
    cosine = builder.constant(np.ones((1, width // 2), np.float32), f"{output}.cosine")
    sine = builder.constant(np.zeros((1, width // 2), np.float32), f"{output}.sine")
    return builder.op(OpKind.ROPE, [name, cosine, sine], RopeAttrs(op.attrs.heads), loc, output)
