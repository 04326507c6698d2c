"""Sums of two values of scales of their own: their constants."""

from __future__ import annotations

from collections.abc import Mapping
from math import frexp
from typing import Literal

from tmc.ir.errors import QuantisationError
from tmc.ir.integer.qadd import QAddAttrs, ends_of_sums
from tmc.ir.shapes import is_int32
from tmc.ir.types import DType, Quant
from tmc.passes.integer_ops.convert import Stored

# Multipliers of so many bits always fit: with the zero points of int8 codes, no sum of products leaves int32.
MULTIPLIER_BITS: Mapping[Stored, int] = {"s8": 21, "s16": 14}
# A zero point of an int8 result, shifted up, stays below 2^29.
MAX_SHIFT = 22
# No ratio of scales needs more.
MAX_WIDE_SHIFT = 30


def quantise_add(
    loc: str,
    x: Quant,
    z: Quant,
    y: Quant,
    types: tuple[Stored, Stored, Stored] = ("s8", "s8", "s8"),
    signs: tuple[Literal[1, -1], Literal[1, -1]] = (1, 1),
) -> QAddAttrs:
    """Return the attributes of y = x + z, each with one scale and a zero point; one rounding, half up.

    types: of x, z and y. signs: of x and z; (1, -1) is their difference. Of int8 values the larger of the
    ratios of scales, x / y and z / y, has 21 bits, or fewer where the shift is MAX_SHIFT: that is a ratio
    below 1 / 2, and a step of 2^-23 of the result. With int16 among them the shift is the largest that int32
    has room for: at least 14 bits for an int16 value.
    Raises: QuantisationError for an operand whose step is too many times the step of the result.
    """
    ratios = x.scale[0] / y.scale[0], z.scale[0] / y.scale[0]
    room = min(MULTIPLIER_BITS[kind] - frexp(ratio)[1] for kind, ratio in zip(types, ratios, strict=False))
    if room < 0:
        raise QuantisationError(
            loc,
            f"found a sum with a step of {y.scale[0]:g} of values with steps of {x.scale[0]:g} and "
            f"{z.scale[0]:g}, allowed steps up to "
            f"{' and '.join(f'{2 ** MULTIPLIER_BITS[kind]:,}' for kind in types[:2])} times as large",
            "the summands cancel in calibration; give samples in which they do not",
        )
    shift = min(room, MAX_SHIFT) if types[:2] == ("s8", "s8") else MAX_WIDE_SHIFT
    while True:
        attrs = _added(ratios, shift, (x, z, y), types[2], signs)
        if is_int32(*ends_of_sums(attrs, DType(types[0]), DType(types[1]))):
            return attrs
        shift -= 1


def _added(
    ratios: tuple[float, float],
    shift: int,
    quants: tuple[Quant, Quant, Quant],
    dtype: Stored,
    signs: tuple[int, int],
) -> QAddAttrs:
    x, z, y = (quant.zero_point for quant in quants)
    x_multiplier, z_multiplier = (
        sign * round(ratio * 2**shift) for sign, ratio in zip(signs, ratios, strict=True)
    )
    bias = (y << shift) + ((1 << shift) >> 1) - x * x_multiplier - z * z_multiplier
    return QAddAttrs(x_multiplier, z_multiplier, bias, shift, dtype)
