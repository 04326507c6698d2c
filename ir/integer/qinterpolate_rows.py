"""Integer linear interpolation over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import round_shift
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, need, operand_shape, stretched
from tmc.ir.types import Array, DType, TensorType

# Fraction bits of the weights of an interpolation.
INTERPOLATION_BITS = 14


@dataclass(frozen=True, slots=True)
class QInterpolateRowsAttrs(Attrs):
    """Linear interpolation over rows; the result is stored as [rows, C], or transposed as [C, rows]."""

    rows: int
    layout: Literal["rows", "transposed"] = "rows"


def infer(types: Types, attrs: QInterpolateRowsAttrs) -> TensorType:
    """x s16 [M, C], table s16 [rows, 2] of (row before, weight of the next); s16 [rows, C] or [C, rows]."""
    rows, columns = operand_shape("x", types[0], 2, DType.S16)
    stretched(rows, attrs.rows)
    table = operand_shape("table", types[1], 2, DType.S16)
    need(table == (attrs.rows, 2), f"found table {table}, allowed ({attrs.rows}, 2)")
    shapes = {"rows": (attrs.rows, columns), "transposed": (columns, attrs.rows)}
    return TensorType(DType.S16, shapes[attrs.layout])


def qinterpolate_rows(x: Array, table: Array, attrs: QInterpolateRowsAttrs) -> Array:
    """Return int16 [rows, C], or [C, rows]: R(x[i] (2^14 - w) + x[i + 1] w, 14) with (i, w) of the table."""
    index, weight = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)[:, None]
    assert index.min() >= 0 and index.max() <= x.shape[0] - 2, "a row outside the input"
    one = 2**INTERPOLATION_BITS
    assert weight.min() >= 0 and weight.max() <= one, "a weight outside 0 to 1"
    wide = x.astype(np.int64)
    y = round_shift(wide[index] * (one - weight) + wide[index + 1] * weight, INTERPOLATION_BITS)
    out = y.astype(np.int16)
    return np.ascontiguousarray(out.T if attrs.layout == "transposed" else out)


OP = OpDef(
    ("x", "table"),
    QInterpolateRowsAttrs,
    infer,
    lambda x, at: qinterpolate_rows(x[0], x[1], at),
    "integer linear interpolation over rows",
)
