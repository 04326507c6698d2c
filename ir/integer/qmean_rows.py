"""Integer mean over runs of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import int32
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, divides, operand_shape, shift_fits
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class QMeanRowsAttrs(Attrs):
    """clip16((sum * multiplier + bias) >> shift) over each run of group_rows rows."""

    group_rows: int
    multiplier: int
    bias: int
    shift: int


def infer(types: Types, attrs: QMeanRowsAttrs) -> TensorType:
    """s8 [M, C] to s16 [M / g, C]."""
    rows, columns = operand_shape("x", types[0], 2, DType.S8)
    divides(attrs.group_rows, rows, "rows in a group")
    shift_fits(attrs.shift)
    return TensorType(DType.S16, (rows // attrs.group_rows, columns))


def qmean_rows(x: Array, attrs: QMeanRowsAttrs) -> Array:
    """Return int16 [M / g, C]: C16((sum * multiplier + bias) >> shift) over each run of g rows."""
    sums = x.astype(np.int64).reshape(-1, attrs.group_rows, x.shape[1]).sum(axis=1)
    y = int32(int32(sums * attrs.multiplier) + attrs.bias) >> attrs.shift
    return np.asarray(np.clip(y, -32768, 32767), dtype=np.int16)


OP = OpDef(
    ("x",),
    QMeanRowsAttrs,
    infer,
    lambda x, at: qmean_rows(x[0], at),
    "integer mean over runs of rows",
)
