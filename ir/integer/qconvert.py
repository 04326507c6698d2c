"""From one scale to another: int8 or int16 to int8 or int16; or int8 to codes + 128."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import OFFSET, int32, saturated, scaled_ends, unsigned
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, need, operand_shape, shift_fits, sums_fit
from tmc.ir.types import Array, DType, Quant, TensorType


@dataclass(frozen=True, slots=True)
class QConvertAttrs(Attrs):
    """C((x * multiplier + bias) >> shift), C8 or C16 by dtype: x in another scale.

    bias holds both zero points, and half a step for rounding. dtype u8 is x + 128 alone: multiplier 1, bias
    128 and shift 0.
    """

    multiplier: int
    bias: int
    shift: int
    dtype: Literal["s8", "s16", "u8"] = "s8"


TO_UNSIGNED = QConvertAttrs(multiplier=1, bias=OFFSET, shift=0, dtype="u8")


def offset(quant: Quant | None) -> Quant | None:
    """Return what codes + 128 stand for, of what codes do."""
    return None if quant is None else replace(quant, zero_point=quant.zero_point + OFFSET)


def infer(types: Types, attrs: QConvertAttrs) -> TensorType:
    """x s8 or s16 [M, N]; result s8 or s16 [M, N]. No code of x may leave int32 on the way.

    u8 [M, N] of x s8.
    """
    if attrs.dtype == "u8":
        need(attrs == TO_UNSIGNED, f"found u8 as {attrs}, allowed {TO_UNSIGNED}")
        return TensorType(DType.U8, operand_shape("x", types[0], 2, DType.S8))
    shape = operand_shape("x", types[0], 2, DType.S8, DType.S16)
    shift_fits(attrs.shift)
    sums_fit(*ends_of_sums(attrs, types[0].dtype))
    return TensorType(DType(attrs.dtype), shape)


def ends_of_sums(attrs: QConvertAttrs, x: DType) -> tuple[int, ...]:
    """Return the ends of what is computed on the way, for any code of a type of x."""
    products = scaled_ends(x, attrs.multiplier)
    return (*products, *(product + attrs.bias for product in products))


def qconvert(x: Array, attrs: QConvertAttrs) -> Array:
    """Return int8 or int16 [M, N]: C((x * multiplier + bias) >> shift), or uint8: x + 128."""
    if attrs.dtype == "u8":
        return unsigned(x)
    sums = int32(x.astype(np.int64) * attrs.multiplier + attrs.bias)
    return saturated(sums >> attrs.shift, attrs.dtype)


OP = OpDef(
    ("x",),
    QConvertAttrs,
    infer,
    lambda x, at: qconvert(x[0], at),
    "int8 or int16 values in another scale",
)
