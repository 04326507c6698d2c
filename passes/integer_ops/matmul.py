"""Products of two computed matrices: the constants of their results."""

from __future__ import annotations

from tmc.ir.errors import QuantisationError
from tmc.ir.integer.qmatmul import MAX_DEPTH, QMatmulAttrs, ends_of_sums
from tmc.ir.shapes import is_int32
from tmc.ir.types import Quant
from tmc.passes.integer_ops.convert import Stored

# Bits of a sum that are kept: with them the multiplier has 11.
KEPT_BITS = 20
# No ratio of scales needs more.
MAX_SHIFT = 30


def quantise_matmul(
    loc: str, x: Quant, z: Quant, y: Quant, depth: int, groups: int, dtype: Stored
) -> QMatmulAttrs:
    """Return the attributes of y = x z^T, each with one scale and a zero point.

    Sums that may need more than 20 bits and a sign are rounded to that first. The shift is the largest that
    int32 has room for: 10 bits at least for the multiplier, which puts results off by 2^-10 of themselves.
    Raises: QuantisationError for too long rows, and for a result with a step too small beside the others.
    """
    if depth > MAX_DEPTH:
        raise QuantisationError(
            loc, f"found sums over {depth} products, allowed {MAX_DEPTH}", "no more of them fit 32 bits"
        )
    most = depth * (128 + abs(x.zero_point)) * (128 + abs(z.zero_point))
    narrowing = max(0, most.bit_length() - KEPT_BITS)
    ratio = x.scale[0] * z.scale[0] * 2.0**narrowing / y.scale[0]
    for shift in range(MAX_SHIFT, -1, -1):
        bias = (y.zero_point << shift) + ((1 << shift) >> 1)
        zero_points = x.zero_point, z.zero_point
        attrs = QMatmulAttrs(groups, narrowing, round(ratio * 2**shift), bias, shift, *zero_points, dtype)
        if is_int32(*ends_of_sums(attrs, depth)):
            return attrs
    raise QuantisationError(
        loc,
        f"found a product of matrices with a step of {y.scale[0]:g} of values with steps of {x.scale[0]:g} "
        f"and {z.scale[0]:g}, allowed a step of {ratio * y.scale[0] / 2**10:g} at least",
        "in calibration one is near 0 wherever the other is not; give samples with both away from 0",
    )
