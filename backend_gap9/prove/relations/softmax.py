"""A call of a softmax: whole rows of its operand and of its result."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph
from tmc.ir.integer.qsoftmax import QSoftmaxAttrs


def relate_softmax_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, row = call.op, call.op.attrs, call.claim("y").row
    assert isinstance(attrs, QSoftmaxAttrs)
    numbers = {name: int(getattr(attrs, name)) for name in ("limit", "multiplier", "shift")}
    numbers["channels"] = graph.types[op.output].shape[1]
    return Wanted({"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}, {}, numbers)
