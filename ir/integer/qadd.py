"""Sum or difference of two values of int8 or int16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import int32, saturated, scaled_ends
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, need, operand_shape, shift_fits, sums_fit
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QAddAttrs(Attrs):
    """C((x * x_multiplier + z * z_multiplier + bias) >> shift), C8 or C16 by dtype: values of two scales.

    A difference has a multiplier below 0. bias holds the zero points of both and of the result, and half a
    step for rounding.
    """

    x_multiplier: int
    z_multiplier: int
    bias: int
    shift: int
    dtype: Literal["s8", "s16"] = "s8"


def infer(types: Types, attrs: QAddAttrs) -> TensorType:
    """x s8 or s16 [M, N], z s8 or s16 [M, N] or a row for all, [1, N]; result s8 or s16 [M, N].

    No codes of x and z may leave int32 on the way.
    """
    shape = operand_shape("x", types[0], 2, DType.S8, DType.S16)
    other = operand_shape("z", types[1], 2, DType.S8, DType.S16)
    need(other in (shape, (1, shape[1])), f"found z {other}, allowed {shape} or {(1, shape[1])}")
    shift_fits(attrs.shift)
    sums_fit(*ends_of_sums(attrs, types[0].dtype, types[1].dtype))
    return TensorType(DType(attrs.dtype), shape)


def ends_of_sums(attrs: QAddAttrs, x: DType, z: DType) -> tuple[int, ...]:
    """Return the ends of what is computed on the way, for any codes of the types of x and z."""
    products = scaled_ends(x, attrs.x_multiplier), scaled_ends(z, attrs.z_multiplier)
    sums = tuple(map(sum, zip(*products, strict=True)))
    return (*products[0], *products[1], *sums, *(each + attrs.bias for each in sums))


def qadd(x: Array, z: Array, attrs: QAddAttrs) -> Array:
    """Return int8 or int16 [M, N]: C((x * x_multiplier + z * z_multiplier + bias) >> shift)."""
    products = x.astype(np.int64) * attrs.x_multiplier + z.astype(np.int64) * attrs.z_multiplier
    return saturated(int32(products + attrs.bias) >> attrs.shift, attrs.dtype)


OP = OpDef(
    ("x", "z"),
    QAddAttrs,
    infer,
    lambda x, at: qadd(x[0], x[1], at),
    "sum or difference of two values, requantised",
)
