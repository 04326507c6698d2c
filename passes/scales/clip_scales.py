"""Scales of values that are read clipped alone: they are those of what is left of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges


def clip_scales(
    graph: Graph, ranges: Ranges, declared: Mapping[str, Quant]
) -> tuple[Ranges, dict[str, Quant]]:
    """Return ranges and declared quantisations in which a value that one clip alone reads has the clip's.

    What the clip takes away needs no codes: saturation takes it away first.
    """
    values, stated = dict(ranges.values), dict(declared)
    for name, clip in reversed(sole_clips(graph).items()):
        low, high = (graph.constants[end] for end in clip.inputs[1:])
        values[name] = replace(values[clip.output], least=float(low.min()), most=float(high.max()))
        stated.pop(name, None)
        if clip.output in stated:
            stated[name] = stated[clip.output]
    return Ranges(values, ranges.samples), stated


def sole_clips(graph: Graph) -> dict[str, Op]:
    """Return the clip of every value that nothing else reads, in execution order."""
    readers = uses(graph)
    return {
        op.inputs[0]: op
        for op in graph.ops
        if op.kind is OpKind.CLIP and len(readers[op.inputs[0]]) == 1 and op.inputs[0] not in graph.outputs
    }
