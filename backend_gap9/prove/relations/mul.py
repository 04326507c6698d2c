"""A call of a product of two values."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.pair import relate_pair
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph
from tmc.ir.integer.qmul import QMulAttrs


def relate_mul(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    attrs = call.op.attrs
    assert isinstance(attrs, QMulAttrs)
    constants = {
        "x_zero_point": attrs.x_zero_point,
        "z_zero_point": attrs.z_zero_point,
        "multiplier": attrs.multiplier,
        "bias": attrs.bias,
        "shift": attrs.shift,
    }
    return relate_pair(call, graph, "mul", constants)
