"""A call of a transpose: its rows are columns of the operand, whole ones."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph
from tmc.ir.types import DType

# By element type.
_KERNELS: Mapping[DType, str] = {
    DType.S8: "tmc_transpose_s8s8",
    DType.S16: "tmc_transpose_s16s16",
    DType.S32: "tmc_transpose_s32s32",
}


def relate_transpose(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, y = call.op, call.claim("y")
    x = graph.types[op.inputs[0]]
    if call.kernel != _KERNELS.get(x.dtype):
        raise ValueError(f"found kernel {call.kernel}, allowed one of {x.dtype.value}")
    values = {"x": (op.inputs[0], 0, y.row * x.dtype.size_bytes), "y": (op.output, y.row, 0)}
    return Wanted(values, {}, {"rows": x.shape[0]})
