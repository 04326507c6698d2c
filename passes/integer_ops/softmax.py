"""Constants of an integer softmax."""

from __future__ import annotations

from math import ceil, log2

from tmc.ir.errors import QuantisationError
from tmc.ir.integer.qsoftmax import FAR, MAX_COLUMNS, QSoftmaxAttrs
from tmc.ir.shapes import is_int32
from tmc.ir.types import Quant

_E = 2.718281828459045
# No more bits of a multiplier count: one has 14 at least.
_MAX_SHIFT = 30


def quantise_softmax(loc: str, x: Quant, columns: int) -> QSoftmaxAttrs:
    """Return the attributes of a softmax of int16 rows of one scale.

    A step of x is so many steps of 2^-15 as an exponent of 2. Differences beyond the limit are powers of 0
    either way. The shift is the largest for which no difference up to the limit leaves int32: the multiplier
    has 14 bits or more. A step of x that is beyond all powers gets the largest multiplier.
    Raises: QuantisationError for too many columns.
    """
    if columns > MAX_COLUMNS:
        raise QuantisationError(
            loc, f"found a softmax over {columns} elements, allowed {MAX_COLUMNS}", "their sum has 31 bits"
        )
    ratio = x.scale[0] * log2(_E) * 2**15
    limit = min(65535, ceil(FAR / ratio))
    for shift in range(_MAX_SHIFT, -1, -1):
        multiplier = round(ratio * 2**shift)
        if is_int32(limit * multiplier + ((1 << shift) >> 1)):
            return QSoftmaxAttrs(limit, multiplier, shift)
    return QSoftmaxAttrs(limit, 2**31 - 1, 0)
