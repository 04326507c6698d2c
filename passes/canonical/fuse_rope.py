"""Recognise rotary position embedding in front of attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.attrs import AttentionAttrs, RopeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import PassError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.canonical.fuse_attention import snapped_scale
from tmc.passes.pipeline import Declined
from tmc.passes.views.attention_operand import Operand, Rotation, read_operand, read_rotation
from tmc.passes.views.element_map import Tracer
from tmc.passes.views.emit_view import emit_columns

# Quantised models hold cosines and sines in 8 bits.
STRETCH = 1 / 32


def fuse_rope(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Replace the arithmetic that turns q and k of an attention by `rope`, with the tables it amounts to.

    The operands are read element by element, so any way to write the rotation will do. Pairs that are not
    adjacent (half-split heads) become adjacent: the columns of q and k are permuted alike, which leaves q k^T
    as it is. Tables are cut to their smallest period. Factors on q and k go into the scale.
    Declined: q and k turned in different pairs, or only one of them.
    Exact but for the order of the sum in q k^T.
    Raises: PassError if the angles depend on the token and on the head.
    """
    builder, tracer = GraphBuilder.like(graph), Tracer(graph)
    for op in graph.ops:
        if not isinstance(op.attrs, AttentionAttrs):
            builder.keep(op)
            continue
        found = [_read(graph, tracer, name, op.attrs.heads) for name in op.inputs[:2]]
        reason = _unlike(found[0], found[1])
        turned = [item for item in found if not isinstance(item, str)]
        if reason is not None or len(turned) < 2:
            if reason and declined is not None:
                declined.append(Declined(op.loc, "rope", reason))
            builder.keep(op)
            continue
        scale, names = op.attrs.scale, []
        for name, (operand, rotation) in zip(op.inputs[:2], turned, strict=True):
            names.append(_emit(builder, operand, rotation, graph.types[name].shape[0], op))
            scale *= operand.scale
        width = graph.types[op.inputs[0]].shape[1] // op.attrs.heads
        attrs = replace(op.attrs, scale=snapped_scale(scale, width))
        builder.keep(replace(op, inputs=(*names, *op.inputs[2:]), attrs=attrs))
    return builder.graph()


def _read(graph: Graph, tracer: Tracer, name: str, heads: int) -> tuple[Operand, Rotation] | str:
    """Return an operand with its rotation; a reason why not, which is empty for one that is not turned."""
    operand = read_operand(graph, tracer, name)
    if isinstance(operand, str):
        return operand
    if operand.coefficients is None:
        return ""
    rotation = read_rotation(operand, heads, STRETCH)
    return rotation if isinstance(rotation, str) else (operand, rotation)


def _unlike(q: tuple[Operand, Rotation] | str, k: tuple[Operand, Rotation] | str) -> str | None:
    """Return why q and k cannot be turned by rope; None if they can, or if neither is turned."""
    if isinstance(q, str) and isinstance(k, str):
        return q or k or None
    if isinstance(q, str):
        return f"K is turned, Q is not: {q or 'it is a plain view'}"
    if isinstance(k, str):
        return f"Q is turned, K is not: {k or 'it is a plain view'}"
    return None if q[1].same_pairs(k[1]) else "Q and K are turned in different pairs of columns"


def _emit(builder: GraphBuilder, operand: Operand, rotation: Rotation, rows: int, op: Op) -> str:
    assert isinstance(op.attrs, AttentionAttrs), "the caller looked"
    for table in (rotation.cosine, rotation.sine):
        if not np.array_equal(table, np.broadcast_to(table[:, :1], table.shape)):
            raise PassError(
                f"{op.loc} (attention)",
                "found a rotation of Q or K that depends on the token and on the head, allowed one that is "
                "the same for all heads, or one that is the same for all tokens and for Q and K",
                "check the axis along which the positions of the rotary embedding run",
            )
    x = emit_columns(builder, operand.source, rows, rotation.columns_in_pairs(), op.loc)
    cosine, sine = _one_period(rotation.cosine[:, 0], rotation.sine[:, 0])
    names = [builder.constant(cosine, f"{op.output}.cosine"), builder.constant(sine, f"{op.output}.sine")]
    return builder.op(OpKind.ROPE, [x, *names], RopeAttrs(op.attrs.heads), op.loc)


def _one_period(cosine: Array, sine: Array) -> tuple[Array, Array]:
    """Return the first P rows of the tables, P the smallest period that divides the number of rows."""
    rows = len(cosine)
    for period in range(1, rows + 1):
        if rows % period == 0 and all(
            np.array_equal(table, np.tile(table[:period], (rows // period, 1))) for table in (cosine, sine)
        ):
            return np.ascontiguousarray(cosine[:period]), np.ascontiguousarray(sine[:period])
    raise AssertionError("a table is its own period")
