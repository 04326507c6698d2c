"""Products of two computed matrices, group by group."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import Int, int32, round_shift, saturated
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, matmul_rows_shape, need, operand_shape, shift_fits, sums_fit
from tmc.ir.types import Array, DType, TensorType

# Four sums of so many products of codes, of rows and of their zero points, fit int32.
MAX_DEPTH = 2**14


@dataclass(frozen=True, slots=True)
class QMatmulAttrs(Attrs):
    """y = C((R(sum_k (x - x_zero_point) (z - z_zero_point), narrowing) multiplier + bias) >> shift).

    Row i of x [G M, K] with every row of the same group of z [G N, K], G = groups. C is C8 or C16 by dtype.
    bias holds the zero point of the result, and half a step for rounding.
    """

    groups: int
    narrowing: int
    multiplier: int
    bias: int
    shift: int
    x_zero_point: int = 0
    z_zero_point: int = 0
    dtype: Literal["s8", "s16"] = "s8"


def infer(types: Types, attrs: QMatmulAttrs) -> TensorType:
    """x s8 [G M, K], z s8 [G N, K]; result s8 or s16 [G M, N]. No codes may leave int32 on the way."""
    x = operand_shape("x", types[0], 2, DType.S8)
    shape = matmul_rows_shape(x, operand_shape("z", types[1], 2, DType.S8), attrs.groups)
    need(x[1] <= MAX_DEPTH, f"found {x[1]} columns, allowed {MAX_DEPTH} at most")
    for zero_point in (attrs.x_zero_point, attrs.z_zero_point):
        need(-128 <= zero_point <= 127, f"found zero point {zero_point}, allowed -128 to 127")
    shift_fits(attrs.narrowing)
    shift_fits(attrs.shift)
    sums_fit(*ends_of_sums(attrs, x[1]))
    return TensorType(DType(attrs.dtype), shape)


def ends_of_sums(attrs: QMatmulAttrs, depth: int) -> tuple[int, ...]:
    """Return the ends of what is computed on the way, for any codes of x and z."""
    ends = product((-128 - attrs.x_zero_point, 127 - attrs.x_zero_point), (-128, 127))
    sums = np.array([depth * a * (b - attrs.z_zero_point) for a, b in ends])
    narrow = [int(each) * attrs.multiplier for each in round_shift(sums, attrs.narrowing)]
    return (*narrow, *(each + attrs.bias for each in narrow))


def qmatmul(x: Array, z: Array, attrs: QMatmulAttrs) -> Array:
    """Return int8 or int16 [G M, N]: the products of the groups of x and z, requantised."""
    left = (x.astype(np.int64) - attrs.x_zero_point).reshape(attrs.groups, -1, x.shape[1])
    right = (z.astype(np.int64) - attrs.z_zero_point).reshape(attrs.groups, -1, x.shape[1])
    sums: Int = int32(left @ right.transpose(0, 2, 1))
    narrow = round_shift(sums.reshape(x.shape[0], -1), attrs.narrowing)
    return saturated(int32(int32(narrow * attrs.multiplier) + attrs.bias) >> attrs.shift, attrs.dtype)


OP = OpDef(
    ("x", "z"),
    QMatmulAttrs,
    infer,
    lambda x, at: qmatmul(x[0], x[1], at),
    "product of two computed matrices, group by group, requantised",
)
