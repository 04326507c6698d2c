"""Kernels of a sum or difference of two values, int8 or int16 each, of scales of their own."""

from __future__ import annotations

from tmc.backend_gap9.kernels.pair import pair_record
from tmc.ir.graph import OpKind
from tmc.ir.integer.qadd import QAddAttrs

ADD = pair_record(OpKind.QADD, "add", QAddAttrs, ("x_multiplier", "z_multiplier", "bias", "shift"))
