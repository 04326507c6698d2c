"""A call that moves: each row or column that it writes is the one of an operand that its op puts there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import ConstantLines, Wanted, one_line, row_bytes
from tmc.ir.attrs import ConcatAttrs, GatherAttrs
from tmc.ir.graph import Graph
from tmc.ir.types import DType

STEPS = (1, 2, 4)
# By element type.
_COLUMN_KERNELS: Mapping[DType, str] = {
    DType.S8: "tmc_gather_columns_s8s8",
    DType.S16: "tmc_gather_columns_s16s16",
    DType.S32: "tmc_gather_columns_s32s32",
}


def relate_copied_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given that copies rows, or some columns of them, as they stand."""
    op, y = call.op, call.claim("y")
    assert isinstance(op.attrs, GatherAttrs | ConcatAttrs)
    _check_step(call)
    size_bytes = graph.types[op.output].dtype.size_bytes
    if op.attrs.axis == 0:
        name, row = _taken(call, graph, y.row, call.arguments["rows"])
        return _from(call, graph, name, row, y.column_bytes)
    if y.column_bytes % size_bytes or call.arguments["row_bytes"] % size_bytes:
        raise ValueError(
            f"found {call.arguments['row_bytes']} bytes from byte {y.column_bytes}, allowed whole elements"
        )
    name, column = _taken(
        call, graph, y.column_bytes // size_bytes, call.arguments["row_bytes"] // size_bytes
    )
    return _from(call, graph, name, y.row, column * size_bytes)


def relate_picked_rows(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given that picks its rows by a table."""
    op, attrs, y, x_first = call.op, call.op.attrs, call.claim("y"), call.arguments["first"]
    assert isinstance(attrs, GatherAttrs)
    if attrs.axis != 0:
        raise ValueError(f"found kernel {call.kernel}, allowed one that picks columns")
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


def relate_picked_columns(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given that picks the columns of its rows by a table: all of them."""
    op, attrs, row = call.op, call.op.attrs, call.claim("y").row
    assert isinstance(attrs, GatherAttrs)
    x = graph.types[op.inputs[0]]
    if attrs.axis != 1 or call.kernel != _COLUMN_KERNELS.get(x.dtype):
        raise ValueError(
            f"found kernel {call.kernel}, allowed one along axis {attrs.axis} of {x.dtype.value}"
        )
    table = one_line(np.array(attrs.indices, np.uint16))
    values = {"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}
    return Wanted(values, {"table": table}, {"x_channels": x.shape[1], "channels": len(attrs.indices)})


def _check_step(call: CheckedCall) -> None:
    step = call.arguments["step_bytes"]
    if step not in STEPS:
        raise ValueError(f"found steps of {step} bytes, allowed {STEPS}")


def _taken(call: CheckedCall, graph: Graph, first: int, count: int) -> tuple[str, int]:
    """Return the operand, and the first of its rows or columns, that so many of the result are.

    Raises: ValueError if they are not consecutive ones of one operand.
    """
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, GatherAttrs | ConcatAttrs)
    what = ("rows", "columns")[attrs.axis]
    if isinstance(attrs, GatherAttrs):
        indices = attrs.indices[first : first + count]
        if list(indices) != list(range(indices[0], indices[0] + count)):
            raise ValueError(f"found a copy of {what} {indices}, allowed consecutive ones")
        return op.inputs[0], indices[0]
    before = 0
    for name in op.inputs:
        within, size = first - before, graph.types[name].shape[attrs.axis]
        if within < size:
            if within + count > size:
                raise ValueError(
                    f"found {what} {within} to {within + count - 1} of %{name}, allowed {size} {what}"
                )
            return name, within
        before += size
    raise AssertionError("what is written is a part of the result")


def _from(call: CheckedCall, graph: Graph, name: str, row: int, column_bytes: int) -> Wanted:
    """Return that the operand of a copy is a part of a value, or of a constant."""
    y = call.claim("y")
    values: Mapping[str, tuple[str | None, int, int]] = {"y": (call.op.output, y.row, y.column_bytes)}
    if name not in graph.constants:
        return Wanted({**values, "x": (name, row, column_bytes)}, {}, {})
    lines = np.arange(call.arguments["rows"])
    taken = row_bytes(graph.constants[name])[row : row + lines.size, column_bytes:]
    return Wanted(values, {"x": ConstantLines(lines, taken)}, {})
