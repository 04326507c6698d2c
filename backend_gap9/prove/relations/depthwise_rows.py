"""A call of a depthwise convolution: all rows and the taps of the columns that it writes."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, one_line, weight_lines
from tmc.ir.graph import Graph
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs

# By whether a table follows.
_KERNELS: Mapping[bool, str] = {
    False: "tmc_depthwise_rows_s8s8",
    True: "tmc_depthwise_rows_table_s8s8",
}


def relate_depthwise_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QDepthwiseRowsAttrs)
    if call.kernel != _KERNELS[attrs.table]:
        raise ValueError(f"found kernel {call.kernel}, allowed one with {attrs}")
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    columns = slice(y.column_bytes, y.column_bytes + call.arguments["channels"])
    constants = {"weight": weight_lines(weight[columns], multiplier[columns], bias[columns])}
    if attrs.table:
        constants["table"] = one_line(graph.constants[op.inputs[4]])
    numbers = {"rows": graph.types[op.output].shape[0], "taps": weight.shape[1]}
    numbers |= {"zero_point": attrs.zero_point, "shift": attrs.shift}
    values = {"x": (op.inputs[0], 0, y.column_bytes), "y": (op.output, 0, y.column_bytes)}
    return Wanted(values, constants, numbers)
