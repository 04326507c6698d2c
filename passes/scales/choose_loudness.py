"""Choose how much louder than those of the calibration a window may be before int16 values clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import LayerNormAttrs
from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.recipe import CHOICES, Recipe
from tmc.passes.scales.linear_room import readers_through_views
from tmc.passes.scales.residual_scales import STREAM, residual_scales, segments
from tmc.passes.scales.value_roles import SAME_AS_OPERAND, Role, is_masked

# Coarser steps may add this share of the noise that the rounding of a norm's result to int8 makes anyway.
ALLOWED_NOISE = 1 / 4


def choose_loudness(graph: Graph, ranges: Ranges, roles: Mapping[str, Role], recipe: Recipe) -> float:
    """Return how many times as loud as those of the calibration windows may be: 1, or one of the recipe's.

    A norm divides by the size of its rows, so a network that begins with one hardly cares how loud a window
    is, if int16 values do not clip. Such are networks whose inputs are read by norms, or by linear ops with
    results in a residual stream that norms read. Room for louder windows makes steps coarser: the most is
    taken that leaves the noise of every norm's operand nearly what it is without.
    """
    found = _norms(graph, ranges, roles)
    if not found:
        return 1.0
    before = _noise(found, residual_scales(graph, ranges, roles, recipe))
    for loudness in sorted((each for each in CHOICES["loudness"] if isinstance(each, float)), reverse=True):
        if 1.0 < loudness <= recipe.loudness:
            noise = _noise(found, residual_scales(graph, ranges, roles, recipe, loudness))
            if (noise - before <= ALLOWED_NOISE).all():
                return loudness
    return 1.0


@dataclass(frozen=True, slots=True)
class _Norm:
    """A norm of the stream, or of an input.

    rounded: how often what it reads was rounded to steps of the stream. gains: of each input, what a linear
    op makes of the power of its noise. gain: from the power of noise in its operand to noise in parts of
    that of its rounding.
    """

    operand: str
    rounded: int
    gains: Mapping[str, float]
    gain: float


def _noise(norms: list[_Norm], quants: Mapping[str, Quant]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return for each norm the noise of the steps before it, in parts of that of its own rounding."""

    def step(name: str) -> float:
        return quants[name].scale[0] ** 2

    return np.array(
        [
            norm.gain
            * (
                norm.rounded * step(norm.operand)
                + sum(gain * step(name) for name, gain in norm.gains.items())
            )
            for norm in norms
        ]
    )


def _norms(graph: Graph, ranges: Ranges, roles: Mapping[str, Role]) -> list[_Norm]:
    """Return the norms that read what louder windows make louder; none where something else would clip."""
    readers, segment = uses(graph), segments(graph, roles)
    gains: dict[str, dict[str, float]] = {}
    heard = set()
    for name in graph.inputs:
        if roles[name] is not Role.INPUT:
            return []
        for op in readers_through_views(readers, name):
            if op.kind is OpKind.LINEAR and roles[op.output] in STREAM:
                power = float(np.square(graph.constants[op.inputs[1]].astype(np.float64)).sum(axis=1).mean())
                into = gains.setdefault(segment[op.output], {})
                into[name] = max(into.get(name, 0.0), power)
                heard.add(segment[op.output])
            elif op.kind is OpKind.LAYERNORM:
                heard.add(segment[op.inputs[0]])
            elif not is_masked(op):
                return []
    norms = list(_each(graph, ranges, roles, segment, gains))
    return norms if heard <= {segment[norm.operand] for norm in norms} else []


def _each(
    graph: Graph,
    ranges: Ranges,
    roles: Mapping[str, Role],
    segment: Mapping[str, str],
    gains: Mapping[str, Mapping[str, float]],
) -> Iterator[_Norm]:
    rounded: dict[str, int] = {segment[name]: 1 for name in graph.inputs}
    for op in graph.ops:
        if op.kind is OpKind.LAYERNORM and op.inputs[0] in segment:
            root = segment[op.inputs[0]]
            gain = _gain(graph, ranges, op)
            if gain is not None:
                yield _Norm(op.inputs[0], rounded[root], gains.get(root, {}), gain)
        if roles[op.output] is Role.RESIDUAL and op.kind not in SAME_AS_OPERAND:
            rounded[segment[op.output]] = rounded.get(segment[op.output], 0) + 1


def _gain(graph: Graph, ranges: Ranges, norm: Op) -> float | None:
    """Return what a norm makes of the power of its operand's noise, in parts of the noise of its rounding.

    Quiet rows, whose noise it raises most, count as often as they are. None where calibration kept no rows,
    or epsilon is most of what it divides by.
    """
    assert isinstance(norm.attrs, LayerNormAttrs)
    rows = ranges.values[norm.inputs[0]].rows.astype(np.float64)
    found = ranges.values[norm.output]
    if not rows.size or found.high <= found.low:
        return None
    power = np.square(rows).mean(axis=1) if norm.attrs.about == "zero" else rows.var(axis=1)
    if power.mean() < norm.attrs.epsilon:
        return None  # it divides by sqrt(epsilon): what goes in louder comes out louder
    gamma = graph.constants[norm.inputs[1]].astype(np.float64)
    step = (found.high - found.low) / 255
    return float(np.square(gamma).mean() * (1 / (power + norm.attrs.epsilon)).mean() / step**2)
