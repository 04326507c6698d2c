"""Choose the int16 scales of the residual stream: one for each run of sums that share it."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.input_bits import calibrated_code, input_bits
from tmc.passes.scales.value_roles import SAME_AS_OPERAND, Role

WIDE_BITS = 16
# The largest code that a calibrated residual value gets, by bits.
RESIDUAL_CODES = {16: 32767, 8: 127}
STREAM = frozenset({Role.RESIDUAL, Role.BRANCH})


def residual_scales(
    graph: Graph, ranges: Ranges, roles: Mapping[str, Role], recipe: Recipe = DEFAULT
) -> dict[str, Quant]:
    """Return the scale of every value of the residual stream, and of the inputs that are int16.

    A sum inside a linear has the scale of its summands, a concatenation that of its parts, so values joined
    by these and by reshapes form a segment with one scale:
    in a pre-norm network that is the whole stream, in a post-norm one each LayerNorm starts a segment. A
    segment has the recipe's headroom above the largest magnitude in it; an input has the bits of
    `input_bits`.
    """
    segment = _segments(graph, roles)
    wide = [name for name in graph.inputs if roles[name] is Role.INPUT]
    bits = {name: input_bits(graph, name, roles, ranges, recipe) for name in wide}
    per_unit = recipe.residual_headroom / RESIDUAL_CODES[recipe.residual_bits]
    scales: dict[str, float] = {}
    for name, root in segment.items():
        magnitude = 0.0 if roles[name] is Role.BRANCH else ranges.values[name].magnitude
        if roles[name] is Role.INPUT:
            least = magnitude / calibrated_code(bits[name]) if name in bits else 0.0  # views have its codes
        else:
            least = per_unit * magnitude
        scales[root] = max(scales.get(root, 0.0), least)
    for root, scale in scales.items():
        scales[root] = scale or per_unit  # never differed from zero
    fewer = {name: count for name, count in bits.items() if count < WIDE_BITS}
    return {name: Quant((scales[root],), bits=fewer.get(name)) for name, root in segment.items()}


def _segments(graph: Graph, roles: Mapping[str, Role]) -> dict[str, str]:
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
