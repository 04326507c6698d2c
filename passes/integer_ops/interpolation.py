"""Integer constants of an interpolation between rows."""

from __future__ import annotations

import numpy as np

from tmc.ir.errors import NoIntegerForm
from tmc.ir.float_semantics import interpolation
from tmc.ir.integer.qinterpolate_rows import INTERPOLATION_BITS
from tmc.ir.types import Array

INT16_ROWS = 2**15


def interpolation_table(where: str, rows: int, out_rows: int) -> Array:
    """Return the s16 table [out_rows, 2] of (row before, weight of the row after it at 2^14).

    Raises: QuantisationError for rows that int16 cannot count; `where` names the ONNX node.
    """
    if rows > INT16_ROWS:
        raise NoIntegerForm(where, f"found {rows} rows to interpolate between, allowed at most {INT16_ROWS}")
    index, weight = interpolation(rows, out_rows)
    return np.stack([index, np.rint(weight * 2**INTERPOLATION_BITS)], axis=1).astype(np.int16)
