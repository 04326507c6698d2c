"""A call of a conversion to another scale: the same rows of its operand."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph
from tmc.ir.integer.qconvert import QConvertAttrs


def relate_convert(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, row = call.op, call.op.attrs, call.claim("y").row
    assert isinstance(attrs, QConvertAttrs)
    x, y = (graph.types[name].dtype.value for name in (op.inputs[0], op.output))
    if call.kernel != f"tmc_convert_{x}{y}":
        raise ValueError(f"found kernel {call.kernel}, allowed one from {x} to {y}")
    numbers = {"channels": graph.types[op.output].shape[1]}
    if attrs.dtype == "u8":
        if (attrs.multiplier, attrs.bias, attrs.shift) != (1, 128, 0):
            raise ValueError(f"found {attrs}, allowed what adds 128")
    else:
        numbers |= {"multiplier": attrs.multiplier, "bias": attrs.bias, "shift": attrs.shift}
    return Wanted({"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}, {}, numbers)
