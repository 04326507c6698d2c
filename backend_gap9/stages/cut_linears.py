"""Cut a linear whose weights are too many for L2 into linears of some of its channels each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.stages.stage_graph import inputs_room, weights_room
from tmc.backend_gap9.target.target import Target
from tmc.ir.attrs import ConcatAttrs, GatherAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs

# Kernels take so many channels at a time, and parts of a row of int8 start at whole words.
CHANNELS = 4


def cut_linears(graph: Graph, target: Target) -> Graph:
    """Return an equal integer graph in which weights of every linear have room in L2 beside the next ones.

    Each part computes a run of channels, and a concatenation puts them side by side, so that the blocks of
    weights of one layer travel from L3 one after the other. Linears of heads or of transposed results, and
    those of several scales, stay whole. Exact: the same codes.
    """
    room, joined = weights_room(target), inputs_room(target)
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        channels = _channels_of_a_part(graph, op, room)
        if channels is None or not isinstance(op.attrs, QLinearAttrs):
            builder.keep(op)
        else:
            _join(builder, op, _parts(builder, graph, op, op.attrs, channels), joined)
    return builder.graph()


def _channels_of_a_part(graph: Graph, op: Op, room_bytes: int) -> int | None:
    """Return how many channels parts of a linear have, as alike as can be, or None if it stays whole."""
    quant = graph.types[op.output].quant
    if not isinstance(op.attrs, QLinearAttrs) or op.attrs.layout != "rows":
        return None
    if quant is None or quant.per is not None:
        return None
    channels = graph.types[op.inputs[1]].shape[0]
    row_bytes = record_of(op.kind).numbers(graph, op)["weight_pitch"]
    most = room_bytes // row_bytes // CHANNELS * CHANNELS
    if channels * row_bytes <= room_bytes or most == 0:
        return None
    parts = -(-channels // most)
    return -(-channels // parts // CHANNELS) * CHANNELS


def _parts(builder: GraphBuilder, graph: Graph, op: Op, attrs: QLinearAttrs, count: int) -> list[str]:
    """Emit linears of `count` channels each, the last of the rest, and return their names."""
    x, weight, multiplier, bias, *more = op.inputs
    channels, quant = graph.types[weight].shape[0], graph.types[op.output].quant
    parts = []
    for number, first in enumerate(range(0, channels, count)):
        end = min(first + count, channels)
        stem = f"{op.output}.part{number}"
        inputs = [
            x,
            builder.constant(np.ascontiguousarray(graph.constants[weight][first:end]), f"{stem}.weight"),
            builder.constant(graph.constants[multiplier][first:end].copy(), f"{stem}.multiplier"),
            builder.constant(np.ascontiguousarray(graph.constants[bias][:, first:end]), f"{stem}.bias"),
            *more,
        ]
        if attrs.residual:
            indices = tuple(range(first, end))
            inputs[-1] = builder.op(
                OpKind.GATHER,
                [more[-1]],
                GatherAttrs(1, indices, (len(indices),)),
                op.loc,
                builder.fresh(f"{stem}.residual"),
                graph.types[more[-1]].quant,
            )
        kind = replace(attrs, heads=1)
        parts.append(builder.op(OpKind.QLINEAR, inputs, kind, op.loc, builder.fresh(stem), quant))
    return parts


def _join(builder: GraphBuilder, op: Op, parts: list[str], most: int) -> None:
    """Put parts side by side, at most so many by one op, for each is a transfer in flight."""
    quant = builder.type_of(parts[0]).quant

    def one(some: list[str], name: str) -> str:
        return (
            builder.op(OpKind.CONCAT, some, ConcatAttrs(1), op.loc, name, quant) if len(some) > 1 else some[0]
        )

    while len(parts) > most:
        runs = [parts[first : first + most] for first in range(0, len(parts), most)]
        parts = [one(run, builder.fresh(f"{op.output}.joined")) for run in runs]
    one(parts, op.output)
