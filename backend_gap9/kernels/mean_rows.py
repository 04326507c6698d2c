"""The kernel of means over runs of rows: int8 in, int16 out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, GROUP_ROWS, ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, ColumnNeeds, Kernel, KernelRecord
from tmc.backend_gap9.program.expressions import div, mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qmean_rows import QMeanRowsAttrs


@dataclass(frozen=True, slots=True)
class MeanRowsCosts:
    """Per element of the input, and of the result."""

    element_cycles: float
    output_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    """Return the cycles of one group of rows; the kernel splits channels."""
    costs = costs_of(target, "mean_rows", MeanRowsCosts)
    return share(target, a["channels"]) * (a["rows"] * costs.element_cycles + costs.output_cycles)


_MEAN_ROWS = Kernel(
    "tmc_mean_rows_s8s16",
    "tmc_mean_rows_args",
    (
        rows_of("x", ROWS, CHANNELS, Var("x_pitch")),
        result(div(ROWS, GROUP_ROWS), mul(CHANNELS, 2)),
    ),
    ("rows", "channels", "group_rows", "x_pitch", "y_pitch", "multiplier", "bias", "shift"),
    frozenset({"multiplier", "bias", "shift"}),
    {"scalar": 48, "xpulp": 80},
    _core_cycles,
)


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_MEAN_ROWS,)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    attrs = op.attrs
    assert isinstance(attrs, QMeanRowsAttrs)
    return {
        "rows": attrs.group_rows,
        "group_rows": attrs.group_rows,
        "multiplier": attrs.multiplier,
        "bias": attrs.bias,
        "shift": attrs.shift,
    }


def _columns(graph: Graph, op: Op) -> ColumnNeeds:
    """Return that one group of rows gives one row."""
    assert isinstance(op.attrs, QMeanRowsAttrs)
    return ColumnNeeds(op.attrs.group_rows, 1)


MEAN_ROWS = KernelRecord(
    OpKind.QMEAN_ROWS,
    "cores",
    "columns",
    (_MEAN_ROWS,),
    _chosen,
    _numbers,
    ("mean_rows", MeanRowsCosts),
    columns=_columns,
)
