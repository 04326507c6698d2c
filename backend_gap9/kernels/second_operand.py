"""The second operand of kernels that work element by element: rows of a value, or a constant row for all."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.kernels.record import Arguments, OperandRule
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
    """Return z as a small table, if it is constant."""
    z = graph.constants.get(op.inputs[1])
    return {} if z is None else {"z": z.astype(z.dtype.newbyteorder("<"))}


def row_pitch(graph: Graph, op: Op) -> Mapping[str, int]:
    """Return the pitch of a constant z; that of any other comes with its tiles."""
    return {"z_pitch": 0} if op.inputs[1] in graph.constants else {}


def check_second_rows(graph: Graph, op: Op) -> None:
    """Refuse rows of z that no kernel takes. Raises: PlanError."""
    rows, found = (graph.types[name].shape[0] for name in op.inputs[:2])
    constant = op.inputs[1] in graph.constants
    if constant and found > 1:
        raise PlanError(
            op.loc,
            f"found {found} different constant rows beside %{op.inputs[0]}, allowed one row for all",
            "give a constant that is the same for every row",
        )
    if not constant and found != rows:
        raise PlanError(
            op.loc,
            f"found one computed row for all {rows} of %{op.inputs[0]}, allowed {rows} rows",
            "repeat the row, by an Expand, in front of it",
        )
