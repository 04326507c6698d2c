"""A call of a permutation of rows: all rows of the columns that it writes."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.attrs import PermuteRowsAttrs
from tmc.ir.graph import Graph


def relate_permute_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, PermuteRowsAttrs)
    values = {"x": (op.inputs[0], 0, y.column_bytes), "y": (op.output, 0, y.column_bytes)}
    return Wanted(values, {}, {"rows": graph.types[op.output].shape[0], "groups": attrs.groups})
