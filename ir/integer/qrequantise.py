"""Requantisation by 64-bit products, then a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import int32
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, need, operand_shape
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QRequantiseAttrs(Attrs):
    """table[C8(round((x * multiplier + addend) / 2^shift) + zero_point) + 128]; see docs/numerics.md.

    Ties are rounded to even, or up.
    """

    zero_point: int = 0
    ties: Literal["even", "up"] = "even"


def infer(types: Types, attrs: QRequantiseAttrs) -> TensorType:
    """x s8 or s32 [M, N], factors s32 [N, 4], table s8 [256]; result s8 [M, N]."""
    rows, channels = operand_shape("x", types[0], 2, DType.S8, DType.S32)
    factors = operand_shape("factors", types[1], 2, DType.S32)
    need(factors == (channels, 4), f"found factors {factors}, allowed ({channels}, 4)")
    table = operand_shape("table", types[2], 1, DType.S8)
    need(table == (256,), f"found table {table}, allowed (256,)")
    need(-128 <= attrs.zero_point <= 127, f"found zero point {attrs.zero_point}, allowed -128 to 127")
    return TensorType(DType.S8, (rows, channels))


def qrequantise(x: Array, factors: Array, table: Array, attrs: QRequantiseAttrs) -> Array:
    """Return int8 [M, N] from s8 or s32 [M, N] and factors [N, 4]: multiplier, shift, addend in two words.

    t = x m + addend, in 64 bits, the addend with its 2^(shift-1); y = t >> shift, and one less where ties
    go to even, t is a multiple of 2^shift and y is odd; table[C8(y + zero_point) + 128].
    """
    multiplier, shift, high, low = (factors[:, column].astype(np.int64) for column in range(4))
    assert shift.min(initial=1) >= 1 and shift.max(initial=1) <= 62, "shift outside 1 to 62"
    # Words: int64 would hide an overflow, and a float64 bound is enough to exclude one.
    real = np.abs(x.astype(np.float64)) * np.abs(multiplier) + np.abs(high * 2.0**32 + low)
    assert real.max(initial=0) < 2**62, "64-bit overflow in a proven op"
    t = x.astype(np.int64) * multiplier + ((high << 32) | (low & 0xFFFFFFFF))
    y = int32(t >> shift)
    if attrs.ties == "even":
        y = y - ((t & ((np.int64(1) << shift) - 1) == 0) & (y & 1 == 1))
    codes = np.clip(int32(y + attrs.zero_point), -128, 127)
    return np.asarray(table[codes + 128])


OP = OpDef(
    ("x", "factors", "table"),
    QRequantiseAttrs,
    infer,
    lambda x, at: qrequantise(x[0], x[1], x[2], at),
    "requantise by a 64-bit product, then a table",
)
