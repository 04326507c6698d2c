"""A call that moves rows: each row that it writes is the one of an operand that its op puts there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import ConstantLines, Wanted, one_line, row_bytes
from tmc.ir.attrs import GatherAttrs
from tmc.ir.graph import Graph

STEPS = (1, 2, 4)


def relate_copied_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given that copies rows as they stand, of one operand."""
    op, y, rows = call.op, call.claim("y"), call.arguments["rows"]
    _check_step(call)
    if isinstance(op.attrs, GatherAttrs):
        indices = op.attrs.indices[y.row : y.row + rows]
        if list(indices) != list(range(indices[0], indices[0] + rows)):
            raise ValueError(f"found a copy of rows {indices}, allowed consecutive ones")
        return _from(call, graph, op.inputs[0], indices[0])
    first = 0
    for name in op.inputs:
        within, count = y.row - first, graph.types[name].shape[0]
        if within < count:
            if within + rows > count:
                raise ValueError(
                    f"found rows {within} to {within + rows - 1} of %{name}, allowed {count} rows"
                )
            return _from(call, graph, name, within)
        first += count
    raise AssertionError("rows of the result are rows of an operand")


def relate_picked_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given that picks its rows by a table."""
    op, attrs, y, x_first = call.op, call.op.attrs, call.claim("y"), call.arguments["first"]
    assert isinstance(attrs, GatherAttrs)
    _check_step(call)
    indices = attrs.indices[y.row : y.row + call.arguments["rows"]]
    outside = [index for index in indices if not 0 <= index - x_first < call.arguments["x_rows"]]
    if outside:
        raise ValueError(f"found rows {outside} picked, allowed those of the operand")
    values = {
        "x": (op.inputs[0], x_first, y.column_bytes),
        "y": (op.output, y.row, y.column_bytes),
    }
    return Wanted(values, {"table": one_line(np.array(indices, np.uint16))}, {})


def _check_step(call: CheckedCall) -> None:
    step = call.arguments["step_bytes"]
    if step not in STEPS:
        raise ValueError(f"found steps of {step} bytes, allowed {STEPS}")


def _from(call: CheckedCall, graph: Graph, name: str, row: int) -> Wanted:
    """Return that the operand of a copy is a value from a row on, or those rows of a constant."""
    y = call.claim("y")
    values: Mapping[str, tuple[str | None, int, int]] = {"y": (call.op.output, y.row, y.column_bytes)}
    if name not in graph.constants:
        return Wanted({**values, "x": (name, row, y.column_bytes)}, {}, {})
    lines = np.arange(call.arguments["rows"])
    taken = row_bytes(graph.constants[name])[row : row + lines.size, y.column_bytes :]
    return Wanted(values, {"x": ConstantLines(lines, taken)}, {})
