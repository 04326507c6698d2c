"""A call of means over runs of rows: whole runs of the columns that it writes."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph
from tmc.ir.integer.qmean_rows import QMeanRowsAttrs


def relate_mean_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    attrs, y = call.op.attrs, call.claim("y")
    assert isinstance(attrs, QMeanRowsAttrs)
    if call.arguments["rows"] % attrs.group_rows or y.column_bytes % 2:
        raise ValueError(f"found {call.arguments['rows']} rows, allowed whole groups of {attrs.group_rows}")
    names = ("group_rows", "multiplier", "bias", "shift")
    numbers = {name: int(getattr(attrs, name)) for name in names}
    values = {
        "x": (call.op.inputs[0], y.row * attrs.group_rows, y.column_bytes // 2),
        "y": (call.op.output, y.row, y.column_bytes),
    }
    return Wanted(values, {}, numbers)
