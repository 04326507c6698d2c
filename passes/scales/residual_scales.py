"""Choose the int16 scales of the residual stream: one for each run of sums that share it."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.input_bits import input_bits, input_scale
from tmc.passes.scales.search_range import unseen_margin
from tmc.passes.scales.value_roles import SAME_AS_OPERAND, Role

WIDE_BITS = 16
# The largest code that a calibrated residual value gets, by bits.
RESIDUAL_CODES = {16: 32767, 8: 127}
STREAM = frozenset({Role.RESIDUAL, Role.BRANCH})


def residual_scales(
    graph: Graph, ranges: Ranges, roles: Mapping[str, Role], recipe: Recipe = DEFAULT, loudness: float = 1.0
) -> dict[str, Quant]:
    """Return the scale of every value of the residual stream, and of the inputs that are int16.

    A sum inside a linear has the scale of its summands, a concatenation that of its parts, so values joined
    by these and by reshapes form a segment with one scale:
    in a pre-norm network that is the whole stream, in a post-norm one each LayerNorm starts a segment. A
    segment has the recipe's headroom above the largest magnitude in it, more where few elements were seen
    (unseen_margin); an input has the bits of `input_bits`. loudness: windows so many times as loud as those
    of the calibration are to fit as well.
    """
    segment = segments(graph, roles)
    wide = [name for name in graph.inputs if roles[name] is Role.INPUT]
    bits = {name: input_bits(graph, name, roles, ranges, recipe, loudness) for name in wide}
    loud = loud_magnitudes(graph, ranges)
    codes = RESIDUAL_CODES[recipe.residual_bits]
    per_unit = recipe.residual_headroom / codes
    scales: dict[str, float] = {}
    for name, root in segment.items():
        found = ranges.values[name]
        magnitude = 0.0 if roles[name] is Role.BRANCH else found.magnitude
        margin = unseen_margin(found.elements) if recipe.unseen_margin else 1.0
        if roles[name] is Role.INPUT:
            # views have its codes
            least = input_scale(magnitude, bits[name], loudness) if name in bits else 0.0
        else:
            least = max(per_unit * margin * magnitude, (magnitude + (loudness - 1.0) * loud[name]) / codes)
        scales[root] = max(scales.get(root, 0.0), least)
    for root, scale in scales.items():
        scales[root] = scale or per_unit  # never differed from zero
    fewer = {name: count for name, count in bits.items() if count < WIDE_BITS}
    return {name: Quant((scales[root],), bits=fewer.get(name)) for name, root in segment.items()}


def loud_magnitudes(graph: Graph, ranges: Ranges) -> dict[str, float]:
    """Return for every value how much of its largest magnitude grows with the loudness of a window.

    What went through a norm does not. Sums grow as their summands do; anything else is taken to grow as a
    whole.
    """
    loud = {name: ranges.values[name].magnitude for name in graph.inputs}
    for op in graph.ops:
        parts = [loud[name] for name in op.inputs if name in loud]
        if op.kind is OpKind.LAYERNORM:
            loud[op.output] = 0.0
        elif op.kind in (OpKind.ADD, OpKind.SUB):
            loud[op.output] = sum(parts)
        else:
            loud[op.output] = ranges.values[op.output].magnitude if any(parts) else 0.0
    return loud


def segments(graph: Graph, roles: Mapping[str, Role]) -> dict[str, str]:
    """Return for every int16 input and stream value the first value of its segment."""
    segment = {name: name for name in graph.inputs if roles[name] is Role.INPUT}
    for op in graph.ops:
        given = op.kind in SAME_AS_OPERAND and op.inputs[0] in segment
        if roles[op.output] not in STREAM and not given:
            continue
        segment[op.output] = op.output
        fused = op.kind is OpKind.ADD and any(roles.get(name) is Role.BRANCH for name in op.inputs)
        if fused or op.kind is OpKind.CONCAT or given:
            joined = {segment[name] for name in (*op.inputs, op.output) if name in segment}
            first = next(root for root in segment if root in joined)
            for name, root in segment.items():
                if root in joined:
                    segment[name] = first
    return segment
