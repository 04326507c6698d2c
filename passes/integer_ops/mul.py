"""Products of two values of scales of their own: the constants of them all."""

from __future__ import annotations

from tmc.ir.errors import QuantisationError
from tmc.ir.integer.qmul import QMulAttrs, ends_of_sums, narrowing
from tmc.ir.shapes import is_int32
from tmc.ir.types import DType, Quant
from tmc.passes.integer_ops.convert import Stored

# No ratio of scales needs more.
MAX_SHIFT = 30


def quantise_mul(
    loc: str, x: Quant, z: Quant, y: Quant, types: tuple[Stored, Stored, Stored] = ("s8", "s8", "s8")
) -> QMulAttrs:
    """Return the attributes of y = x z, each with one scale and a zero point; one rounding, half up.

    types: of x, z and y. Products with int16 among them are rounded before, to 16 bits and a sign. The shift
    is the largest that int32 has room for: at least 14 bits for the multiplier.
    Raises: QuantisationError for a result with a step too small beside the steps of the operands.
    """
    x_dtype, z_dtype = DType(types[0]), DType(types[1])
    ratio = x.scale[0] * z.scale[0] * 2.0 ** narrowing(x_dtype, z_dtype) / y.scale[0]
    for shift in range(MAX_SHIFT, -1, -1):
        bias = (y.zero_point << shift) + ((1 << shift) >> 1)
        attrs = QMulAttrs(round(ratio * 2**shift), bias, shift, x.zero_point, z.zero_point, types[2])
        if is_int32(*ends_of_sums(attrs, x_dtype, z_dtype)):
            return attrs
    raise QuantisationError(
        loc,
        f"found a product with a step of {y.scale[0]:g} of values with steps of {x.scale[0]:g} and "
        f"{z.scale[0]:g}, allowed a step of {ratio * y.scale[0] / 2**15:g} at least",
        "in calibration one is near 0 wherever the other is not; give samples with both away from 0",
    )
