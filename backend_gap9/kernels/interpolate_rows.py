"""Kernels of a linear interpolation over rows: int16 in, int16 out, as rows or transposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, flat, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, ColumnNeeds, Kernel, KernelRecord, OperandRule
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Const, Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.ir.types import Array


@dataclass(frozen=True, slots=True)
class InterpolateRowsCosts:
    """Per element of the result, and per row of it."""

    element_cycles: float
    row_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "interpolate_rows", InterpolateRowsCosts)
    return share(target, a["rows"]) * (a["channels"] * costs.element_cycles + costs.row_cycles)


def _kernel(stem: str, y: OperandRule) -> Kernel:
    return Kernel(
        stem,
        "tmc_interpolate_rows_args",
        (
            rows_of("x", Var("x_rows"), mul(CHANNELS, 2), Var("x_pitch")),
            flat("table", mul(ROWS, 4)),
            y,
        ),
        ("x_rows", "rows", "channels", "x_pitch", "y_pitch"),
        frozenset(),
        {"scalar": 16, "xpulp": 32},
        _core_cycles,
    )


# They write halves of words: rows of results need not start at words.
_PLAIN = _kernel("tmc_interpolate_rows_s16s16", result(ROWS, mul(CHANNELS, 2), pitch_unit=Const(2)))
_TRANSPOSED = _kernel(
    "tmc_interpolate_rows_transposed_s16s16", result(CHANNELS, mul(ROWS, 2), pitch_unit=Const(2))
)


def _transposed(op: Op) -> bool:
    assert isinstance(op.attrs, QInterpolateRowsAttrs)
    return op.attrs.layout == "transposed"


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_TRANSPOSED if _transposed(op) else _PLAIN,)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    assert isinstance(op.attrs, QInterpolateRowsAttrs)
    return {"x_rows": graph.types[op.inputs[0]].shape[0], "rows": op.attrs.rows}


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    return {"table": graph.constants[op.inputs[1]]}


def _columns(graph: Graph, op: Op) -> ColumnNeeds:
    """Return that all rows give all rows, or all elements of a row of the transposed result."""
    transposed = _transposed(op)
    y_rows = graph.types[op.output].shape[1 if transposed else 0]
    return ColumnNeeds(graph.types[op.inputs[0]].shape[0], y_rows, transposed)


INTERPOLATE_ROWS = KernelRecord(
    OpKind.QINTERPOLATE_ROWS,
    "cores",
    "columns",
    (_PLAIN, _TRANSPOSED),
    _chosen,
    _numbers,
    ("interpolate_rows", InterpolateRowsCosts),
    _tables,
    columns=_columns,
)
