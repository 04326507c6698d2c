"""Integer rotary embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import OFFSET, round_shift
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, divides, need, operand_shape, shift_fits
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QRopeAttrs(Attrs):
    """Rotate int16 pairs by a table of 2^14 cosines and sines, round by `shift`, saturate to `bits`.

    Codes of 8 bits are int8, those of more int16. unsigned: codes of 8 bits + 128.
    """

    heads: int
    shift: int
    bits: int = 8
    unsigned: bool = False

    @property
    def dtype(self) -> DType:
        """Return the type of the result."""
        if self.unsigned:
            return DType.U8
        return DType.S8 if self.bits == 8 else DType.S16


def infer(types: Types, attrs: QRopeAttrs) -> TensorType:
    """x s16 [M, H * d], table s16 [P, d] of (cos, sin) pairs; result [H, M, d]: s8 or u8, or s16."""
    rows, columns = operand_shape("x", types[0], 2, DType.S16)
    positions, pairs = operand_shape("table", types[1], 2, DType.S16)
    divides(attrs.heads, columns, "heads")
    width = columns // attrs.heads
    need(
        pairs == width and width % 2 == 0,
        f"found table {types[1].shape}, allowed an even head width of {width} columns",
    )
    divides(positions, rows, "positions")
    shift_fits(attrs.shift)
    need(8 <= attrs.bits <= 16, f"found codes of {attrs.bits} bits, allowed 8 to 16")
    need(attrs.bits == 8 or not attrs.unsigned, f"found {attrs.bits} bits unsigned, allowed 8")
    return TensorType(attrs.dtype, (attrs.heads, rows, width))


def qrope(x: Array, table: Array, attrs: QRopeAttrs) -> Array:
    """Rotate int16 [M, H * d] by table [P, d] = (cos, sin) pairs of 2^14; return codes [H, M, d]."""
    rows, columns = x.shape
    width = columns // attrs.heads
    pairs = x.astype(np.int64).reshape(rows, attrs.heads, width // 2, 2)
    lines = table.astype(np.int64)[np.arange(rows) % table.shape[0]].reshape(rows, 1, width // 2, 2)
    cosine, sine = lines[..., 0], lines[..., 1]
    even = round_shift(pairs[..., 0] * cosine - pairs[..., 1] * sine, attrs.shift)
    odd = round_shift(pairs[..., 0] * sine + pairs[..., 1] * cosine, attrs.shift)
    rotated = np.stack([even, odd], axis=-1).reshape(rows, attrs.heads, width).transpose(1, 0, 2)
    limit = 2 ** (attrs.bits - 1)
    codes = np.clip(rotated, -limit, limit - 1) + OFFSET * attrs.unsigned
    return np.ascontiguousarray(codes.astype(attrs.dtype.numpy))


OP = OpDef(
    ("x", "table"),
    QRopeAttrs,
    infer,
    lambda x, at: qrope(x[0], x[1], at),
    "integer rotary embedding",
)
