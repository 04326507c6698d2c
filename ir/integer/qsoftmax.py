"""Softmax of every row: powers of two by a polynomial, one division a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import Int, bit_length, int32, round_shift
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, is_int32, need, operand_shape, shift_fits
from tmc.ir.types import Array, DType, TensorType

# Coefficients of 2^-f = 1 - f (c1 - f (c2 - f c3)), f from 0 to 1, in steps of 2^-15: within 1.1e-4 of it,
# relatively, and exact at both ends, so that powers fall where f goes over to the next integer.
POWER = (22657, 7555, 1282)
# The largest result stands for 2^15 of these.
SHARE_SCALE = 2.0**-15
# More columns, and their sum would leave 31 bits.
MAX_COLUMNS = 2**15
# What lies so many steps of 2^-15 below the largest, as an exponent of 2, is 0: 32 bits less.
FAR = 32 << 15


@dataclass(frozen=True, slots=True)
class QSoftmaxAttrs(Attrs):
    """u = R(min(largest - x, limit) * multiplier, shift): exponents of 2 in steps of 2^-15."""

    limit: int
    multiplier: int
    shift: int


def infer(types: Types, attrs: QSoftmaxAttrs) -> TensorType:
    """s16 [M, C] to s16 [M, C]. No difference up to the limit may leave int32 on the way."""
    shape = operand_shape("x", types[0], 2, DType.S16)
    need(shape[1] <= MAX_COLUMNS, f"found {shape[1]} columns, allowed {MAX_COLUMNS} at most")
    shift_fits(attrs.shift)
    need(1 <= attrs.limit < 2**16, f"found limit {attrs.limit}, allowed 1 to 65535")
    need(attrs.multiplier >= 0, f"found multiplier {attrs.multiplier}, allowed 0 and more")
    largest = attrs.limit * attrs.multiplier + ((1 << attrs.shift) >> 1)
    need(
        is_int32(largest), f"found exponents of up to {largest} before their shift, allowed those of 32 bits"
    )
    return TensorType(DType.S16, shape)


def qsoftmax(x: Array, attrs: QSoftmaxAttrs) -> Array:
    """Return int16 [M, C]: shares of each row in steps of 2^-15."""
    wide = x.astype(np.int64)
    below = np.minimum(wide.max(axis=1, keepdims=True) - wide, attrs.limit)
    exponents = round_shift(int32(below * attrs.multiplier), attrs.shift)
    powers = _power(exponents & 32767) >> np.minimum(exponents >> 15, 31)
    total = powers.sum(axis=1, keepdims=True)
    bits = bit_length(total)
    narrowed = round_shift(int32(total), bits - 16)
    inverse = (2**30 + (narrowed >> 1)) // narrowed
    shares = round_shift(int32(powers * inverse), bits - 1)
    return np.asarray(np.minimum(shares, 32767), dtype=np.int16)


def _power(fraction: Int) -> Int:
    """Return 2^15 * 2^-f of a fraction in steps of 2^-15: 16384 to 32768."""
    c1, c2, c3 = POWER
    inner = c2 - (fraction * c3 >> 15)
    return np.asarray(32768 - (fraction * (c1 - (fraction * inner >> 15)) >> 15))


OP = OpDef(("x",), QSoftmaxAttrs, infer, lambda x, at: qsoftmax(x[0], at), "integer softmax of every row")
