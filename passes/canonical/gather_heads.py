"""Make the operands of attention columns of the values they come from."""

from __future__ import annotations

from dataclasses import replace

from tmc.ir.attrs import AttentionAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op
from tmc.passes.canonical.fuse_attention import snapped_scale
from tmc.passes.pipeline import Declined
from tmc.passes.views.attention_operand import read_operand
from tmc.passes.views.element_map import Tracer
from tmc.passes.views.emit_view import emit_columns


def gather_heads(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Replace the plumbing in front of attention by one gather of columns per operand.

    Whatever splits, transposes and slices lie between: if row n of an operand takes the same columns of row n
    of its source for every n, it becomes gather(source, columns). A factor on q or k goes into the scale.
    Exact, but for the rounding of the scale.
    """
    builder, tracer = GraphBuilder.like(graph), Tracer(graph)
    for op in graph.ops:
        if isinstance(op.attrs, AttentionAttrs):
            builder.keep(_gathered(builder, tracer, graph, op, op.attrs, declined))
        else:
            builder.keep(op)
    return builder.graph()


def _gathered(
    builder: GraphBuilder,
    tracer: Tracer,
    graph: Graph,
    op: Op,
    attrs: AttentionAttrs,
    declined: list[Declined] | None,
) -> Op:
    names, scale = list(op.inputs), attrs.scale
    for position, name in enumerate(op.inputs[:3]):
        operand = read_operand(graph, tracer, name)
        reason = operand if isinstance(operand, str) else None
        if not isinstance(operand, str):
            if operand.coefficients is not None:
                reason = "its elements are multiplied or added on the way"
            elif position == 2 and operand.scale != 1.0:
                reason = f"V is multiplied by {operand.scale:.6g}"
            else:
                rows = graph.types[name].shape[0]
                names[position] = emit_columns(builder, operand.source, rows, operand.columns[0], op.loc)
                scale *= operand.scale
        if reason is not None and declined is not None:
            declined.append(Declined(op.loc, "attention", f"operand {'QKV'[position]}: {reason}"))
    width = graph.types[op.inputs[0]].shape[1] // attrs.heads
    return replace(op, inputs=tuple(names), attrs=replace(attrs, scale=snapped_scale(scale, width)))
