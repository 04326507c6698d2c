"""Factors of a requantisation by a 64-bit product, with the proof that it stays in 64 bits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tmc.ir.errors import QuantisationError
from tmc.ir.types import Array
from tmc.passes.integer_ops.linear import CodeRange

MULTIPLIER_BITS = 31
MAX_SHIFT = 62
PRODUCT_LIMIT = 2**62
# A result has to leave room for a zero point.
RESULT_LIMIT = 2**31 - 2**9


def requantise_factors(
    where: str, x: Sequence[CodeRange], slope: Sequence[Fraction], offset: Sequence[Fraction]
) -> Array:
    """Return factors s32 [N, 4] of y = x slope[n] + offset[n]: multiplier, shift, addend in two words.

    x: the range of each channel. The shift is the largest, at most 62, for which the multiplier has 31 bits
    and every product with its addend stays below 2^62. So the multiplier is within 2^-31 of the slope,
    relative to it, unless the slope is below 2^-32.
    Raises: QuantisationError if a result could leave 32 bits; `where` names the ONNX node.
    """
    rows = []
    for channel, (found, factor, added) in enumerate(zip(x, slope, offset, strict=True)):
        # With 2 for codes from -1 to 1 a slope stays below 2^30, so that a shift of 1 is never too large.
        largest = max(abs(found.low), abs(found.high), 2)
        extreme = largest * abs(factor) + abs(added)
        if extreme >= RESULT_LIMIT:
            raise QuantisationError(
                where,
                f"found results up to {float(extreme):.4g} steps in channel {channel}, allowed below "
                f"{RESULT_LIMIT}",
                "its scales do not belong together: quantise the network again",
            )
        shift = MAX_SHIFT
        while _too_large(largest, factor, added, shift):
            shift -= 1
        addend = round(added * 2**shift) + 2 ** (shift - 1)
        rows.append((round(factor * 2**shift), shift, addend >> 32, addend & 0xFFFFFFFF))
    return np.array(rows, dtype=np.int64).astype(np.uint32).astype(np.int32)


def _too_large(largest: int, factor: Fraction, added: Fraction, shift: int) -> bool:
    multiplier, addend = abs(round(factor * 2**shift)), abs(round(added * 2**shift)) + 2 ** (shift - 1)
    return bool(multiplier >= 2**MULTIPLIER_BITS or largest * multiplier + addend >= PRODUCT_LIMIT)
