"""Sum of two int8 values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import int32
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, need, operand_shape
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QAddAttrs(Attrs):
    """C8((x * x_multiplier + z * z_multiplier + bias) >> shift): a sum of values of two scales.

    bias holds the zero points of both and of the result, and half a step for rounding.
    """

    x_multiplier: int
    z_multiplier: int
    bias: int
    shift: int


def infer(types: Types, attrs: QAddAttrs) -> TensorType:
    """x and z s8 [M, N]; result s8 [M, N]. No code of x and z may leave int32 on the way."""
    shape = operand_shape("x", types[0], 2, DType.S8)
    other = operand_shape("z", types[1], 2, DType.S8)
    need(other == shape, f"found z {other}, allowed {shape}")
    need(0 <= attrs.shift <= 31, f"found shift {attrs.shift}, allowed 0 to 31")
    multipliers = (attrs.x_multiplier, attrs.z_multiplier)
    need(min(multipliers) >= 0, f"found multipliers {multipliers}, allowed none below 0")
    largest = 128 * sum(multipliers) + abs(attrs.bias)
    need(largest < 2**31, f"found sums of up to {largest}, allowed those of 32 bits")
    return TensorType(DType.S8, shape)


def qadd(x: Array, z: Array, attrs: QAddAttrs) -> Array:
    """Return int8 [M, N]: C8((x * x_multiplier + z * z_multiplier + bias) >> shift)."""
    products = x.astype(np.int64) * attrs.x_multiplier + z.astype(np.int64) * attrs.z_multiplier
    y = int32(products + attrs.bias) >> attrs.shift
    return np.asarray(np.clip(y, -128, 127), dtype=np.int8)


OP = OpDef(
    ("x", "z"),
    QAddAttrs,
    infer,
    lambda x, at: qadd(x[0], x[1], at),
    "sum of two int8 values, requantised",
)
