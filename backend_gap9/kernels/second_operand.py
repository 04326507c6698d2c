"""The second operand of kernels of single elements: rows, computed or constant, or a row for all."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.kernels.record import Arguments, OperandRule
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.program.expressions import expr, mul
from tmc.backend_gap9.program.program import Var
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op
from tmc.ir.types import Array, DType


def second_rows(dtype: DType) -> OperandRule:
    """Return the rule of z: a row for each of x, or one for all where they are 0 bytes apart."""
    row_bytes = mul(Var("channels"), dtype.size_bytes)
    return OperandRule("z", "read", _rows, expr(row_bytes), Var("z_pitch"))


def _rows(a: Arguments) -> int:
    return a["rows"] if a["z_pitch"] else 1


def constant_row(graph: Graph, op: Op) -> Mapping[str, Array]:
    """Return z as a small table, if it is a constant row for all."""
    z = graph.constants.get(op.inputs[1])
    return {} if z is None or constant_lines(graph, op) else {"z": z.astype(z.dtype.newbyteorder("<"))}


def constant_lines(graph: Graph, op: Op) -> tuple[str, ...]:
    """Return z as lines that travel with the rows of x, if it is a constant of several."""
    z = graph.constants.get(op.inputs[1])
    return (op.inputs[1],) if z is not None and z.shape[0] > 1 else ()


def constant_pitch(graph: Graph, op: Op) -> Mapping[str, int]:
    """Return the pitch of a constant z; that of any other comes with its tiles."""
    z = graph.types[op.inputs[1]]
    if op.inputs[1] not in graph.constants:
        return {}
    return {"z_pitch": word_up(z.shape[1] * z.dtype.size_bytes) if constant_lines(graph, op) else 0}


def check_second_rows(graph: Graph, op: Op) -> None:
    """Refuse a computed row of z for all rows of x, which no kernel takes. Raises: PlanError."""
    rows, found = (graph.types[name].shape[0] for name in op.inputs[:2])
    if op.inputs[1] not in graph.constants and found != rows:
        raise PlanError(
            op.loc,
            f"found one computed row for all {rows} of %{op.inputs[0]}, allowed {rows} rows",
            "repeat the row, by an Expand, in front of it",
        )
