"""Kernels of a product of two values, int8 or int16 each, of scales of their own."""

from __future__ import annotations

from tmc.backend_gap9.kernels.pair import pair_record
from tmc.ir.graph import OpKind
from tmc.ir.integer.qmul import QMulAttrs

MUL = pair_record(
    OpKind.QMUL, "mul", QMulAttrs, ("x_zero_point", "z_zero_point", "multiplier", "bias", "shift")
)
