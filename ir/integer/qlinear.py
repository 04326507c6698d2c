"""Requantised linear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs, Layout
from tmc.ir.integer.arithmetic import int32, product
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, divides, matrix_product, need, operand_shape, shift_fits
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QLinearAttrs(Attrs):
    """Requantising matrix product; see docs/numerics.md for the formula.

    layout says how the result [M, N] is stored: "rows" [M, N]; "heads" [heads, M, N / heads], the form in
    which attention reads Q and K; "transposed" [N, M], the form in which it reads V. dtype is the element
    type of the result: u8 is for a table of codes + 128.
    """

    shift: int
    dtype: Literal["s8", "u8", "s16", "s32"] = "s8"
    layout: Layout = "rows"
    heads: int = 1
    table: bool = False
    residual: bool = False


def infer(types: Types, attrs: QLinearAttrs) -> TensorType:
    """x s8, u8 or s16 [M, K], weight s8 [N, K], multiplier s32 [N], bias s32 [G, N], then table, residual."""
    x = operand_shape("x", types[0], 2, DType.S8, DType.U8, DType.S16)
    weight = operand_shape("weight", types[1], 2, DType.S8)
    multiplier = operand_shape("multiplier", types[2], 1, DType.S32)
    matrix_product(x, weight, operand_shape("bias", types[3], 2, DType.S32))
    rows, channels = x[0], weight[0]
    need(multiplier == (channels,), f"found multiplier {multiplier}, allowed ({channels},)")
    extra = attrs.table + attrs.residual
    need(len(types) == 4 + extra, f"found {len(types)} operands, allowed {4 + extra}")
    if attrs.table:
        need(attrs.dtype in ("s8", "u8"), f"found a table on a result of {attrs.dtype}, allowed s8 or u8")
        table = operand_shape("table", types[4], 1, DType(attrs.dtype))
        need(table == (256,), f"found table {table}, allowed (256,)")
    else:
        need(attrs.dtype != "u8", "found a result of u8 without a table, allowed s8, s16 or s32")
    if attrs.residual:
        residual = operand_shape("residual", types[-1], 2, DType.S16)
        need(residual == (rows, channels), f"found residual {residual}, allowed {(rows, channels)}")
        need(attrs.dtype == "s16", f"found a residual on a result of {attrs.dtype}, allowed s16")
    divides(attrs.heads, channels, "heads")
    shift_fits(attrs.shift)
    shapes = {
        "rows": (rows, channels),
        "transposed": (channels, rows),
        "heads": (attrs.heads, rows, channels // attrs.heads),
    }
    return TensorType(DType(attrs.dtype), shapes[attrs.layout])


def qlinear(
    x: Array,
    weight: Array,
    multiplier: Array,
    bias: Array,
    attrs: QLinearAttrs,
    table: Array | None = None,
    residual: Array | None = None,
) -> Array:
    """Return the requantised product of x [M, K] and weight [N, K].

    acc = sum_k x w;  y = (acc * multiplier[n] + bias[g][n]) >> shift, bias row g = m // (M / G).
    int8 output: C8(y), then table[y + 128] if there is one, of int8 or of uint8. int16: C16(y), or
    C16(residual + y). int32: y. The layout of attrs rearranges the result, after all arithmetic.
    """
    acc = product(x, weight.T)
    rows, channels = acc.shape
    groups = acc.reshape(len(bias), rows // len(bias), channels)
    for extremes in (groups.min(axis=1), groups.max(axis=1)):  # of each sum that shares multiplier and bias
        int32(int32(extremes * multiplier.astype(np.int64)) + bias)
    groups *= multiplier.astype(np.int32)
    groups += bias.astype(np.int32)[:, None]
    acc >>= attrs.shift
    y = acc if residual is None else np.add(acc, residual, dtype=np.int64)
    dtype = DType.S8 if attrs.table else DType(attrs.dtype)
    if dtype is not DType.S32:
        limits = np.iinfo(dtype.numpy)
        y = np.clip(y, limits.min, limits.max)
    out = np.asarray(table.take(y + 128)) if table is not None else y.astype(dtype.numpy)
    if attrs.layout == "heads":
        out = out.reshape(rows, attrs.heads, channels // attrs.heads).transpose(1, 0, 2)
    if attrs.layout == "transposed":
        out = out.T
    return np.ascontiguousarray(out)


def _evaluate(x: Sequence[Array], attrs: QLinearAttrs) -> Array:
    return qlinear(
        x[0], x[1], x[2], x[3], attrs, x[4] if attrs.table else None, x[-1] if attrs.residual else None
    )


OP = OpDef(
    ("x", "weight", "multiplier", "bias", "table?", "residual?"),
    QLinearAttrs,
    infer,
    _evaluate,
    "integer linear, requantised",
)
