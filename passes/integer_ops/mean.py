"""Integer constants of a mean over runs of rows."""

from __future__ import annotations

from math import log2

from tmc.ir.integer.qmean_rows import QMeanRowsAttrs
from tmc.ir.types import Quant
from tmc.passes.integer_ops.linear import CodeRange

MULTIPLIER_LIMIT = 2**15 - 1
# The sum spans 2^8 codes and its offset as much again, so 2^(bits + shift + 8) has to stay below 2^31.
SUM_BITS = 22


def quantise_mean(x: Quant, y: Quant, group_rows: int) -> tuple[QMeanRowsAttrs, CodeRange]:
    """Return the attributes of an integer mean of g rows, and its code range; y is at a mean_scale of x.

    multiplier / 2^shift is 2^bits / g rounded down to 15 bits; mean_scale makes up for the rounding, so the
    multiplier is exact. The zero point of x and the rounding are folded into the bias.
    The result never saturates: it spans at most 255 * 2^bits, bits <= 7.
    """
    multiplier, shift = _factor(group_rows, round(log2(x.scale[0] / y.scale[0])))
    bias = -group_rows * x.zero_point * multiplier + (2 ** (shift - 1) if shift > 0 else 0)
    least = (-128 * group_rows * multiplier + bias) >> shift
    most = (127 * group_rows * multiplier + bias) >> shift
    assert -(2**15) <= least and most < 2**15
    return QMeanRowsAttrs(group_rows, multiplier, bias, shift), CodeRange(least, most)


def mean_scale(x: Quant, group_rows: int, bits: int) -> float:
    """Return the scale of an integer mean of g rows at about 2^bits steps per code of x."""
    multiplier, shift = _factor(group_rows, bits)
    return x.scale[0] * 2.0**shift / (group_rows * multiplier)


def _factor(group_rows: int, bits: int) -> tuple[int, int]:
    shift = SUM_BITS - bits
    while shift > 0 and 2 ** (bits + shift) // group_rows > MULTIPLIER_LIMIT:
        shift -= 1
    return min(2 ** (bits + shift) // group_rows, MULTIPLIER_LIMIT), shift
