"""A call of a rotary embedding: one head of the rows, and the line of the table for each."""

from __future__ import annotations

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import ConstantLines, Wanted, row_bytes, within
from tmc.ir.graph import Graph
from tmc.ir.integer.qrope import QRopeAttrs


def relate_rope(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QRopeAttrs)
    kernel = (
        "tmc_rope_s16u8" if attrs.unsigned else "tmc_rope_s16s8" if attrs.bits == 8 else "tmc_rope_s16s16"
    )
    if call.kernel != kernel:
        raise ValueError(f"found kernel {call.kernel}, allowed {kernel} with {attrs}")
    _, rows_total, width = graph.types[op.output].shape
    rows = call.arguments["rows"]
    y = call.claim("y")
    head, row = within(y.row, rows, rows_total, "rows")
    table = graph.constants[op.inputs[1]]
    # Row r of the call uses line (row0 + r) % period of its operand, and must use the line of row + r.
    lines = (call.arguments["row0"] + np.arange(rows)) % call.arguments["period"]
    data = row_bytes(table[(row + np.arange(rows)) % table.shape[0]])
    numbers = {"width": width, "shift": attrs.shift}
    if attrs.bits > 8:
        numbers["limit"] = 2 ** (attrs.bits - 1) - 1
    values = {"x": (op.inputs[0], row, head * width * 2), "y": (op.output, y.row, 0)}
    return Wanted(values, {"table": ConstantLines(lines, data)}, numbers)
