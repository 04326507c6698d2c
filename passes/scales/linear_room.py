"""Room in int32 for what a linear op sums, before its weights are integers."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np

from tmc.ir.graph import Graph, Op, values_through
from tmc.passes.scales.value_roles import SAME_AS_OPERAND, Role


def fits_int32(graph: Graph, linear: Op, role: Role, scale: float, limit: int, multiplier: int) -> bool:
    """Tell whether the sums of a linear op, times `multiplier`, stay in int32 over codes up to `limit`.

    role: of its result. Logits have one weight step for all channels and no multiplier, others one for each
    channel. scale: of the codes.
    """
    logits = role is Role.LOGITS
    weight, bias = graph.constants[linear.inputs[1]].astype(np.float64), graph.constants[linear.inputs[2]]
    largest = np.full(len(weight), np.abs(weight).max()) if logits else np.abs(weight).max(axis=1)
    step = np.where(largest > 0, largest / 127, 1.0)
    products = np.ceil(np.abs(weight) / step[:, None]).sum(axis=1) * limit
    sums = products + np.abs(bias).max(axis=0) / (scale * step)
    return (1 if logits else multiplier) * (ceil(float(sums.max())) + 1) < 2**31


def readers_through_views(readers: Mapping[str, tuple[Op, ...]], name: str) -> list[Op]:
    """Return the ops that read a value, or its codes in another shape or order, or blends of them."""
    values = values_through(readers, name, SAME_AS_OPERAND)
    return [op for value in values for op in readers.get(value, ()) if op.kind not in SAME_AS_OPERAND]
