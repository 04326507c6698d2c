"""Kernels of a transpose: every row of the result is a column of the operand, whatever it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, ColumnNeeds, Kernel, KernelRecord
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Const, Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import DType


@dataclass(frozen=True, slots=True)
class TransposeCosts:
    """Per element, and per row of the result."""

    element_cycles: float
    row_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    """Return the cycles of a core; where rows of the result are fewer than cores, each has a part of all."""
    costs = costs_of(target, "transpose", TransposeCosts)
    rows, elements = share(target, a["channels"]), a["rows"]
    if a["channels"] < target.cores:
        rows, elements = a["channels"], share(target, a["rows"])
    return rows * (elements * costs.element_cycles + costs.row_cycles)


def _kernel(stem: str, dtype: DType) -> Kernel:
    unit = Const(dtype.size_bytes)
    return Kernel(
        stem,
        "tmc_transpose_args",
        (
            rows_of("x", ROWS, mul(CHANNELS, unit), Var("x_pitch"), pitch_unit=unit),
            result(CHANNELS, mul(ROWS, unit), pitch_unit=unit),
        ),
        ("rows", "channels", "x_pitch", "y_pitch"),
        frozenset(),
        {"scalar": 32, "xpulp": 48},
        _core_cycles,
    )


_KERNELS: Mapping[DType, Kernel] = {
    DType.S8: _kernel("tmc_transpose_s8s8", DType.S8),
    DType.S16: _kernel("tmc_transpose_s16s16", DType.S16),
    DType.S32: _kernel("tmc_transpose_s32s32", DType.S32),
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_KERNELS[graph.types[op.output].dtype],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    return {"rows": graph.types[op.inputs[0]].shape[0]}


def _columns(graph: Graph, op: Op) -> ColumnNeeds:
    rows = graph.types[op.inputs[0]].shape[0]
    return ColumnNeeds(rows, rows, transposed=True)


TRANSPOSE = KernelRecord(
    OpKind.TRANSPOSE,
    "cores",
    "columns",
    tuple(_KERNELS.values()),
    _chosen,
    _numbers,
    ("transpose", TransposeCosts),
    columns=_columns,
)
