"""A call that finds the largest of runs of rows: whole runs of the columns that it writes."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.attrs import MaxRowsAttrs
from tmc.ir.graph import Graph


def relate_max_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, MaxRowsAttrs)
    if call.arguments["rows"] % attrs.group_rows:
        raise ValueError(f"found {call.arguments['rows']} rows, allowed whole groups of {attrs.group_rows}")
    values = {
        "x": (op.inputs[0], y.row * attrs.group_rows, y.column_bytes),
        "y": (op.output, y.row, y.column_bytes),
    }
    return Wanted(values, {}, {"group_rows": attrs.group_rows})
