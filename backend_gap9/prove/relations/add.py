"""A call of a sum of two int8 values: the same rows of both."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph
from tmc.ir.integer.qadd import QAddAttrs


def relate_add(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, row = call.op, call.op.attrs, call.claim("y").row
    assert isinstance(attrs, QAddAttrs)
    numbers = {
        "channels": graph.types[op.output].shape[1],
        "x_multiplier": attrs.x_multiplier,
        "z_multiplier": attrs.z_multiplier,
        "bias": attrs.bias,
        "shift": attrs.shift,
    }
    values = {"x": (op.inputs[0], row, 0), "z": (op.inputs[1], row, 0), "y": (op.output, row, 0)}
    return Wanted(values, {}, numbers)
