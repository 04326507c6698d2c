"""Choose the int16 scales of the residual stream: one for each run of sums that share it."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from tmc.ir.attrs import LayerNormAttrs
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.integer_ops.layernorm import epsilon_limit
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.input_bits import calibrated_code, input_bits
from tmc.passes.scales.value_roles import SAME_AS_OPERAND, Role

WIDE_BITS = 16
# The largest code that a calibrated residual value gets, by bits.
RESIDUAL_CODES = {16: 32767, 8: 127}
# How much coarser than its range asks for a value may become to make room for the epsilon of its LayerNorm.
EPSILON_ROOM = 16
STREAM = frozenset({Role.RESIDUAL, Role.BRANCH})


def residual_scales(
    graph: Graph, ranges: Ranges, roles: Mapping[str, Role], recipe: Recipe = DEFAULT
) -> dict[str, Quant]:
    """Return the scale of every value of the residual stream, and of the inputs that are int16.

    A sum has the scale of its summands, so values joined by adds and reshapes form a segment with one scale:
    in a pre-norm network that is the whole stream, in a post-norm one each LayerNorm starts a segment. A
    segment has the recipe's headroom above the largest magnitude in it; an input has the bits of
    `input_bits`. A scale is made coarser, up to EPSILON_ROOM times, until the epsilon of every LayerNorm that
    reads it fits.
    Raises: QuantisationError where that is not enough.
    """
    segment = _segments(graph, roles)
    wide = [name for name in graph.inputs if roles[name] is Role.INPUT]
    bits = {name: input_bits(graph, name, roles, ranges, recipe) for name in wide}
    per_unit = recipe.residual_headroom / RESIDUAL_CODES[recipe.residual_bits]
    scales: dict[str, float] = {}
    largest: dict[str, float] = {}
    for name, root in segment.items():
        magnitude = 0.0 if roles[name] is Role.BRANCH else ranges.values[name].magnitude
        if roles[name] is Role.INPUT:
            least = magnitude / calibrated_code(bits[name]) if name in bits else 0.0  # views have its codes
        else:
            least = per_unit * magnitude
        scales[root] = max(scales.get(root, 0.0), least)
        largest[root] = max(largest.get(root, 0.0), magnitude)
    for root, scale in scales.items():
        scales[root] = scale or per_unit  # never differed from zero
    for op in graph.ops:
        if isinstance(op.attrs, LayerNormAttrs) and op.inputs[0] in segment:
            root = segment[op.inputs[0]]
            least = least_scale(graph, op)
            if least > EPSILON_ROOM * scales[root]:
                reach = (largest[root] or 1.0) * least / scales[root] / EPSILON_ROOM
                raise below_epsilon(op, largest[root], reach)
            scales[root] = max(scales[root], least)
    fewer = {name: count for name, count in bits.items() if count < WIDE_BITS}
    return {name: Quant((scales[root],), bits=fewer.get(name)) for name, root in segment.items()}


def below_epsilon(norm: Op, largest: float, least: float) -> QuantisationError:
    """Return the error of a LayerNorm of values of at most `largest`, which have to reach `least`."""
    assert isinstance(norm.attrs, LayerNormAttrs)
    return QuantisationError(
        norm.loc,
        f"found epsilon {norm.attrs.epsilon:g} with values of at most {largest:g}, "
        f"allowed values that reach {least:.3g}",
        "such a LayerNorm mostly sees its epsilon; check that the calibration samples are scaled "
        "like the training data",
    )


def least_scale(graph: Graph, norm: Op) -> float:
    """Return the finest scale of the operand of a LayerNorm for which its epsilon fits int32."""
    assert isinstance(norm.attrs, LayerNormAttrs)
    channels = graph.types[norm.inputs[1]].shape[0]
    return sqrt(norm.attrs.epsilon * channels**3 / epsilon_limit(channels))


def _segments(graph: Graph, roles: Mapping[str, Role]) -> dict[str, str]:
    """Return for every int16 input and stream value the first value of its segment."""
    segment = {name: name for name in graph.inputs if roles[name] is Role.INPUT}
    for op in graph.ops:
        given = op.kind in SAME_AS_OPERAND and op.inputs[0] in segment
        if roles[op.output] not in STREAM and not given:
            continue
        segment[op.output] = op.output
        if op.kind is OpKind.ADD or given:
            joined = {segment[name] for name in (*op.inputs, op.output) if name in segment}
            first = next(root for root in segment if root in joined)
            for name, root in segment.items():
                if root in joined:
                    segment[name] = first
    return segment
