"""From one scale to another: the constants of a conversion between stored forms."""

from __future__ import annotations

from typing import Literal

from tmc.ir.errors import QuantisationError
from tmc.ir.integer.qconvert import QConvertAttrs, ends_of_sums
from tmc.ir.shapes import is_int32
from tmc.ir.types import DType, Quant

Stored = Literal["s8", "s16"]
# The lowest code of each type: of the largest magnitude.
LOWEST: dict[Stored, int] = {"s8": -(2**7), "s16": -(2**15)}
# No ratio of scales needs more: an error of 2^-31 of a step for each step of x.
MAX_SHIFT = 30


def quantise_convert(loc: str, x: Quant, x_dtype: Stored, y: Quant, y_dtype: Stored) -> QConvertAttrs:
    """Return the attributes of y = x, one scale and a zero point each; one rounding, half up.

    The shift is the largest that int32 has room for, so that the multiplier has 23 bits for int8 x, and 15 or
    16 for int16 x, where the ratio of scales and the zero point of y leave them: it puts x off by 2^-24 of
    its value, or 2^-16, at most. A ratio beyond every multiplier gets the largest: each code of x but its
    zero point saturates either way.
    Raises: QuantisationError for a value of several scales.
    """
    if len(x.scale) != 1 or len(y.scale) != 1:
        raise QuantisationError(
            loc,
            f"found a value with {max(len(x.scale), len(y.scale))} scales, allowed one",
            "it is read where another scale is wanted, and no op brings several scales to one",
        )
    ratio = x.scale[0] / y.scale[0]
    for shift in range(MAX_SHIFT, -1, -1):
        attrs = _converted(round(ratio * 2**shift), shift, x, y, y_dtype)
        if is_int32(*ends_of_sums(attrs, DType(x_dtype))):
            return attrs
    largest = abs(LOWEST[x_dtype]) + abs(x.zero_point)
    return _converted((2**31 - 1 - abs(y.zero_point)) // largest, 0, x, y, y_dtype)


def _converted(multiplier: int, shift: int, x: Quant, y: Quant, y_dtype: Stored) -> QConvertAttrs:
    half = (1 << shift) >> 1
    bias = (y.zero_point << shift) + half - x.zero_point * multiplier
    return QConvertAttrs(multiplier, bias, shift, y_dtype)
