"""Product of two values of int8 or int16."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import Int, int32, round_shift, saturated
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, need, operand_shape, shift_fits, sums_fit
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QMulAttrs(Attrs):
    """y = C((R((x - x_zero_point) (z - z_zero_point), narrowing) multiplier + bias) >> shift).

    C is C8 or C16 by dtype; narrowing follows from the types of x and z. bias holds the zero point of the
    result, and half a step for rounding.
    """

    multiplier: int
    bias: int
    shift: int
    x_zero_point: int = 0
    z_zero_point: int = 0
    dtype: Literal["s8", "s16"] = "s8"


def infer(types: Types, attrs: QMulAttrs) -> TensorType:
    """x s8 or s16 [M, N], z s8 or s16 [M, N] or a row for all, [1, N]; result s8 or s16 [M, N].

    Only s8 has zero points. No codes of x and z may leave int32 on the way.
    """
    shape = operand_shape("x", types[0], 2, DType.S8, DType.S16)
    other = operand_shape("z", types[1], 2, DType.S8, DType.S16)
    need(other in (shape, (1, shape[1])), f"found z {other}, allowed {shape} or {(1, shape[1])}")
    for operand, zero_point in zip(types, (attrs.x_zero_point, attrs.z_zero_point), strict=True):
        allowed = "-128 to 127" if operand.dtype is DType.S8 else "0"
        fits = -128 <= zero_point <= 127 if operand.dtype is DType.S8 else zero_point == 0
        need(fits, f"found zero point {zero_point} of {operand.dtype.value}, allowed {allowed}")
    shift_fits(attrs.shift)
    sums_fit(*ends_of_sums(attrs, types[0].dtype, types[1].dtype))
    return TensorType(DType(attrs.dtype), shape)


def narrowing(x: DType, z: DType) -> int:
    """Return by how many bits products are shifted, to 16 bits and a sign at most; of int8 values by none."""
    return {0: 0, 1: 8, 2: 15}[(x, z).count(DType.S16)]


def ends_of_sums(attrs: QMulAttrs, x: DType, z: DType) -> tuple[int, ...]:
    """Return the ends of what is computed behind the narrowing, for any codes of the types of x and z."""
    limits = np.iinfo(x.numpy), np.iinfo(z.numpy)
    ends = product(*((int(each.min), int(each.max)) for each in limits))
    products = np.array([(a - attrs.x_zero_point) * (b - attrs.z_zero_point) for a, b in ends])
    narrow = [int(each) * attrs.multiplier for each in round_shift(products, narrowing(x, z))]
    return (*narrow, *(each + attrs.bias for each in narrow))


def qmul(x: Array, z: Array, attrs: QMulAttrs) -> Array:
    """Return int8 or int16 [M, N]: the product of x and z less their zero points, requantised."""
    products: Int = (x.astype(np.int64) - attrs.x_zero_point) * (z.astype(np.int64) - attrs.z_zero_point)
    narrow = round_shift(products, narrowing(DType.of(x), DType.of(z)))
    return saturated(int32(int32(narrow * attrs.multiplier) + attrs.bias) >> attrs.shift, attrs.dtype)


OP = OpDef(
    ("x", "z"),
    QMulAttrs,
    infer,
    lambda x, at: qmul(x[0], x[1], at),
    "product of two values, requantised",
)
