"""Integer convolution over rows, column by column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import int32
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, depthwise_taps, need, operand_shape, shift_fits
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QDepthwiseRowsAttrs(Attrs):
    """Requantising depthwise convolution over rows; rows beyond the ends hold zero_point, the code of 0."""

    shift: int
    zero_point: int
    table: bool = False


def infer(types: Types, attrs: QDepthwiseRowsAttrs) -> TensorType:
    """x s8 [M, C], weight s8 [C, taps], multiplier s32 [C], bias s32 [C], then table; result s8 [M, C]."""
    rows, columns = operand_shape("x", types[0], 2, DType.S8)
    depthwise_taps(columns, operand_shape("weight", types[1], 2, DType.S8))
    for name, operand in (("multiplier", types[2]), ("bias", types[3])):
        shape = operand_shape(name, operand, 1, DType.S32)
        need(shape == (columns,), f"found {name} {shape}, allowed ({columns},)")
    need(len(types) == 4 + attrs.table, f"found {len(types)} operands, allowed {4 + attrs.table}")
    if attrs.table:
        table = operand_shape("table", types[4], 1, DType.S8)
        need(table == (256,), f"found table {table}, allowed (256,)")
    need(-128 <= attrs.zero_point <= 127, f"found zero_point {attrs.zero_point}, allowed -128 to 127")
    shift_fits(attrs.shift)
    return TensorType(DType.S8, (rows, columns))


def qdepthwise_rows(
    x: Array,
    weight: Array,
    multiplier: Array,
    bias: Array,
    attrs: QDepthwiseRowsAttrs,
    table: Array | None = None,
) -> Array:
    """Return int8 [M, C]: each column of x convolved with its row of weight [C, taps].

    acc = sum_k x[i + k - taps / 2][c] w[c][k], with zero_point for rows beyond the ends;
    y = C8((acc * multiplier[c] + bias[c]) >> shift), then table[y + 128] if there is one.
    """
    rows, taps = x.shape[0], weight.shape[1]
    padded = np.pad(x.astype(np.int64), ((taps // 2, taps // 2), (0, 0)), constant_values=attrs.zero_point)
    acc = np.zeros(x.shape, dtype=np.int64)
    for tap in range(taps):
        acc = int32(acc + padded[tap : tap + rows] * weight[:, tap].astype(np.int64))
    y = int32(int32(acc * multiplier.astype(np.int64)) + bias.astype(np.int64)) >> attrs.shift
    out: Array = np.clip(y, -128, 127).astype(np.int8)
    return out if table is None else np.asarray(table[out.astype(np.int64) + 128])


OP = OpDef(
    ("x", "weight", "multiplier", "bias", "table?"),
    QDepthwiseRowsAttrs,
    infer,
    lambda x, at: qdepthwise_rows(x[0], x[1], x[2], x[3], at, x[4] if at.table else None),
    "integer convolution over rows, column by column",
)
