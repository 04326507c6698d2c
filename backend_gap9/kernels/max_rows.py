"""The kernels of the largest of runs of rows: int8, int16 or int32, the result like the operand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, GROUP_ROWS, ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, ColumnNeeds, Kernel, KernelRecord
from tmc.backend_gap9.program.expressions import div, mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.attrs import MaxRowsAttrs
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import DType


@dataclass(frozen=True, slots=True)
class MaxRowsCosts:
    """Per word of 4 bytes of the input, and of the result."""

    word_cycles: float
    output_cycles: float


def _kernel(stem: str, dtype: DType) -> Kernel:
    def core_cycles(target: Target, a: Arguments) -> float:
        """Return the cycles of one group of rows; the kernel splits words of channels."""
        costs = costs_of(target, "max_rows", MaxRowsCosts)
        words = -(-a["channels"] * dtype.size_bytes // 4)
        return share(target, words) * (a["rows"] * costs.word_cycles + costs.output_cycles)

    row_bytes = mul(CHANNELS, dtype.size_bytes)
    return Kernel(
        stem,
        "tmc_max_rows_args",
        (rows_of("x", ROWS, row_bytes, Var("x_pitch")), result(div(ROWS, GROUP_ROWS), row_bytes)),
        ("rows", "channels", "group_rows", "x_pitch", "y_pitch"),
        frozenset(),
        {"scalar": 32, "xpulp": 32},
        core_cycles,
    )


_BY_TYPE: Mapping[DType, Kernel] = {
    DType.S8: _kernel("tmc_max_rows_s8s8", DType.S8),
    DType.S16: _kernel("tmc_max_rows_s16s16", DType.S16),
    DType.S32: _kernel("tmc_max_rows_s32s32", DType.S32),
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_BY_TYPE[graph.types[op.output].dtype],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    assert isinstance(op.attrs, MaxRowsAttrs)
    return {"rows": op.attrs.group_rows, "group_rows": op.attrs.group_rows}


def _columns(graph: Graph, op: Op) -> ColumnNeeds:
    """Return that one group of rows gives one row."""
    assert isinstance(op.attrs, MaxRowsAttrs)
    return ColumnNeeds(op.attrs.group_rows, 1)


MAX_ROWS = KernelRecord(
    OpKind.MAX_ROWS,
    "cores",
    "columns",
    tuple(_BY_TYPE.values()),
    _chosen,
    _numbers,
    ("max_rows", MaxRowsCosts),
    columns=_columns,
)
