"""Choose how many bits the codes of a network's input have."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.ir.graph import Graph, OpKind, uses
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.recipe import Recipe
from tmc.passes.scales.linear_room import fits_int32, readers_through_views
from tmc.passes.scales.value_roles import Role

# So many are asked of every linear op that reads the input, as long as its multipliers can be of 3 bits.
LEAST_BITS = 13
LEAST_MULTIPLIER = 7
# The multiplier that more bits have to leave room for: multipliers then have 6 bits and weights their steps.
MULTIPLIER = 63
# From so many on, one bit is room for samples louder than those of the calibration.
ROOMY_BITS = 15
# Where louder ones are to fit, multipliers of 4 bits will do: bits of the input are what such windows need.
LOUD_MULTIPLIER = 15


def input_bits(
    graph: Graph,
    name: str,
    roles: Mapping[str, Role],
    ranges: Ranges,
    recipe: Recipe,
    loudness: float = 1.0,
) -> int:
    """Return the most bits, up to those of the recipe, that leave the ops behind an input room in int32.

    loudness: windows so many times as loud as those of the calibration are to fit.
    """
    many = MULTIPLIER if loudness == 1.0 else LOUD_MULTIPLIER
    readers = readers_through_views(uses(graph), name)
    linears = [op for op in readers if op.kind is OpKind.LINEAR]
    for bits in range(recipe.input_bits, 8, -1):
        scale = input_scale(ranges.values[name].magnitude, bits, loudness)
        multiplier = many if bits > LEAST_BITS else LEAST_MULTIPLIER
        if all(
            fits_int32(graph, op, roles[op.output], scale or 1.0, 2 ** (bits - 1), multiplier)
            for op in linears
        ):
            return bits
    return min(recipe.input_bits, 8)


def input_scale(magnitude: float, bits: int, loudness: float = 1.0) -> float:
    """Return the step of an input of so many bits whose largest calibrated magnitude is given."""
    if loudness == 1.0:
        return magnitude / calibrated_code(bits)
    return loudness * magnitude / float(2 ** (bits - 1) - 1)


def calibrated_code(bits: int) -> int:
    """Return the code that the largest magnitude of the calibration gets."""
    return int(2 ** (bits - 1 - (bits >= ROOMY_BITS)) - 1)
