"""A call of a sum or difference of two values."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.pair import relate_pair
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph
from tmc.ir.integer.qadd import QAddAttrs


def relate_add(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    attrs = call.op.attrs
    assert isinstance(attrs, QAddAttrs)
    constants = {
        "x_multiplier": attrs.x_multiplier,
        "z_multiplier": attrs.z_multiplier,
        "bias": attrs.bias,
        "shift": attrs.shift,
    }
    return relate_pair(call, graph, "add", constants)
