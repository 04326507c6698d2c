"""A call of a sum of two values: the same rows of both, computed or constant, or a constant row for all."""

from __future__ import annotations

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import ConstantLines, Wanted, all_lines, row_bytes
from tmc.ir.graph import Graph
from tmc.ir.integer.qadd import QAddAttrs


def relate_add(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, row = call.op, call.op.attrs, call.claim("y").row
    assert isinstance(attrs, QAddAttrs)
    types = "".join(graph.types[name].dtype.value for name in (*op.inputs, op.output))
    if call.kernel != f"tmc_add_{types}":
        raise ValueError(f"found kernel {call.kernel}, allowed the one of {types}")
    numbers = {
        "channels": graph.types[op.output].shape[1],
        "x_multiplier": attrs.x_multiplier,
        "z_multiplier": attrs.z_multiplier,
        "bias": attrs.bias,
        "shift": attrs.shift,
    }
    values = {"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}
    constant = graph.constants.get(op.inputs[1])
    if constant is None:
        return Wanted({**values, "z": (op.inputs[1], row, 0)}, {}, numbers)
    if constant.shape[0] == 1:
        return Wanted(values, {"z": all_lines(constant)}, {**numbers, "z_pitch": 0})
    lines = np.arange(call.arguments["rows"])
    return Wanted(values, {"z": ConstantLines(lines, row_bytes(constant)[row : row + lines.size])}, numbers)
