"""Clip of integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, divides, need, operand_shape
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QClipAttrs(Attrs):
    """clip(x, low, high), or C16(residual + clip(x, low, high)); a line of limits for each run of rows."""

    residual: bool = False


def infer(types: Types, attrs: QClipAttrs) -> TensorType:
    """x s8, s16 or s32 [M, N], low and high of its type [G, N], residual s16 [M, N] for x s16."""
    rows, channels = operand_shape("x", types[0], 2, DType.S8, DType.S16, DType.S32)
    need(len(types) == 3 + attrs.residual, f"found {len(types)} operands, allowed {3 + attrs.residual}")
    groups, _ = operand_shape("low", types[1], 2, types[0].dtype)
    divides(groups, rows, "lines of limits")
    for name, operand in zip(("low", "high"), types[1:3], strict=True):
        shape = operand_shape(name, operand, 2, types[0].dtype)
        need(shape == (groups, channels), f"found {name} {shape}, allowed {(groups, channels)}")
    if attrs.residual:
        need(types[0].dtype is DType.S16, f"found a residual on x of {types[0].dtype.value}, allowed s16")
        residual = operand_shape("residual", types[3], 2, DType.S16)
        need(residual == (rows, channels), f"found residual {residual}, allowed {(rows, channels)}")
    return TensorType(types[0].dtype, (rows, channels))


def qclip(x: Array, low: Array, high: Array, residual: Array | None = None) -> Array:
    """Return x [M, N] between low and high [G, N], row m by line m // (M / G); or C16(residual + that)."""
    lines = np.repeat(np.arange(len(low)), len(x) // len(low))
    y = np.minimum(np.maximum(x, low[lines]), high[lines])
    if residual is not None:
        y = np.clip(y.astype(np.int32) + residual, -(2**15), 2**15 - 1).astype(np.int16)
    return np.asarray(y)


OP = OpDef(
    ("x", "low", "high", "residual?"),
    QClipAttrs,
    infer,
    lambda x, at: qclip(x[0], x[1], x[2], x[3] if at.residual else None),
    "integer clip, or that added to a residual",
)
