"""A call of an interpolation over rows: all rows of the columns that it writes, the places of its results."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, one_line
from tmc.ir.graph import Graph
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs

# By whether the result is transposed.
_KERNELS: Mapping[bool, str] = {
    False: "tmc_interpolate_rows_s16s16",
    True: "tmc_interpolate_rows_transposed_s16s16",
}


def relate_interpolate_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QInterpolateRowsAttrs)
    transposed = attrs.layout == "transposed"
    if call.kernel != _KERNELS[transposed]:
        raise ValueError(f"found kernel {call.kernel}, allowed one with {attrs}")
    row, column_bytes = (y.row, 0) if transposed else (0, y.column_bytes)
    values = {
        "x": (op.inputs[0], 0, 2 * y.row if transposed else y.column_bytes),
        "y": (op.output, row, column_bytes),
    }
    constants = {"table": one_line(graph.constants[op.inputs[1]])}
    return Wanted(values, constants, {"rows": attrs.rows, "x_rows": graph.types[op.inputs[0]].shape[0]})
