"""A call of a product of computed matrices: rows of one group, and all rows of z that belong to it."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, within
from tmc.ir.graph import Graph
from tmc.ir.integer.qmatmul import QMatmulAttrs

_NUMBERS = ("x_zero_point", "z_zero_point", "narrowing", "multiplier", "bias", "shift")


def relate_matmul(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, row = call.op, call.op.attrs, call.claim("y").row
    assert isinstance(attrs, QMatmulAttrs)
    y = graph.types[op.output]
    kernel = f"tmc_matmul_s8s8{y.dtype.value}"
    if call.kernel != kernel:
        raise ValueError(f"found kernel {call.kernel}, allowed {kernel}")
    rows, columns = y.shape
    group, _ = within(row, call.arguments["rows"], rows // attrs.groups, "rows")
    values = {"x": (op.inputs[0], row, 0), "z": (op.inputs[1], group * columns, 0), "y": (op.output, row, 0)}
    numbers = {name: int(getattr(attrs, name)) for name in _NUMBERS}
    return Wanted(values, {}, {**numbers, "z_rows": columns, "depth": graph.types[op.inputs[0]].shape[1]})
