"""Remove a rotation that Q and K of each head have in common for all tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.attrs import AttentionAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op
from tmc.passes.canonical.fuse_attention import snapped_scale
from tmc.passes.pipeline import Declined
from tmc.passes.views.attention_operand import Operand, Rotation, read_operand, read_rotation
from tmc.passes.views.element_map import Tracer
from tmc.passes.views.emit_view import emit_columns

_ROUNDING = 1e-6


def drop_shared_rotation(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Rewrite attention(R q, R k, v) to attention(q, k, v) where R turns each head alike for all tokens.

    (R q) (R k)^T = q R R^T k^T = q k^T, because R is orthogonal. Proved per attention: both operands are
    pairs at the same positions (structure), the angles do not depend on the token, are the same for q and k,
    and cos^2 + sin^2 = 1 (to float32 rounding). Anything else is left for fuse_rope.
    Equal up to the rounding of the rotation that is no longer done.
    """
    builder, tracer = GraphBuilder.like(graph), Tracer(graph)
    for op in graph.ops:
        shared = _shared(graph, tracer, op) if isinstance(op.attrs, AttentionAttrs) else None
        if shared is None or not isinstance(op.attrs, AttentionAttrs):
            builder.keep(op)
            continue
        scale, names = op.attrs.scale, []
        for name, (operand, rotation) in zip(op.inputs[:2], shared, strict=True):
            rows, columns = graph.types[name].shape[0], rotation.columns_in_place()
            names.append(emit_columns(builder, operand.source, rows, columns, op.loc))
            scale *= operand.scale
        width = graph.types[op.inputs[0]].shape[1] // op.attrs.heads
        attrs = replace(op.attrs, scale=snapped_scale(scale, width))
        builder.keep(replace(op, inputs=(*names, *op.inputs[2:]), attrs=attrs))
        if declined is not None:
            declined.append(Declined(op.loc, "rope", "the same for Q, K and all tokens: it cancels in Q K^T"))
    return builder.graph()


def _shared(graph: Graph, tracer: Tracer, op: Op) -> list[tuple[Operand, Rotation]] | None:
    """Return q and k of an attention with their rotation, if it is the same and does not see the token."""
    assert isinstance(op.attrs, AttentionAttrs), "the caller looked"
    found: list[tuple[Operand, Rotation]] = []
    for name in op.inputs[:2]:
        operand = read_operand(graph, tracer, name)
        if isinstance(operand, str) or operand.coefficients is None:
            return None
        rotation = read_rotation(operand, op.attrs.heads)
        if isinstance(rotation, str):
            return None
        found.append((operand, rotation))
    q, k = found[0][1], found[1][1]
    if not q.same_pairs(k):
        return None
    for of_q, of_k in ((q.cosine, k.cosine), (q.sine, k.sine)):
        if np.abs(of_q - of_q[:1]).max() > _ROUNDING or np.abs(of_k - of_q[:1]).max() > _ROUNDING:
            return None
    return found
