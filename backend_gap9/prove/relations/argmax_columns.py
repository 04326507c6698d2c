"""A call that finds the column of the largest of each row: rows of the result, all columns of the operand."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph
from tmc.ir.types import DType


def relate_argmax_columns(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, row = call.op, call.claim("y").row
    x = graph.types[op.inputs[0]]
    kernel = "tmc_argmax_columns_s8s32" if x.dtype is DType.S8 else "tmc_argmax_columns_s16s32"
    if call.kernel != kernel:
        raise ValueError(f"found kernel {call.kernel}, allowed {kernel} of {x.dtype.value}")
    values = {"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}
    return Wanted(values, {}, {"x_channels": x.shape[1]})
