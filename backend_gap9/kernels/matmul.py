"""Kernels of a product of two computed matrices, a group at a time, or some rows of one.

A call has rows of x and all rows of z that belong to their group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, ColumnNeeds, Kernel, KernelRecord
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qmatmul import QMatmulAttrs
from tmc.ir.types import DType

# Rows of x and of the result that a call has, at most, where the rows of a group can be parted evenly.
TILE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class MatmulCosts:
    """Per 4 products of one sum, per result, and per 4 elements of rows of x and z that a core adds up."""

    step_cycles: float
    result_cycles: float
    sum_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    """Return the cycles of the core with most results: cores share rows of x, or of z if these are more."""
    costs, steps = costs_of(target, "matmul", MatmulCosts), -(-a["depth"] // 4)
    by_rows = a["rows"] >= a["z_rows"]
    rows = share(target, a["rows"]) if by_rows else a["rows"]
    columns = a["z_rows"] if by_rows else share(target, a["z_rows"])
    sums = (rows + columns) * steps * costs.sum_cycles
    return rows * columns * (steps * costs.step_cycles + costs.result_cycles) + sums


_QUANTISATION = ("x_zero_point", "z_zero_point", "narrowing", "multiplier", "bias", "shift")


def _kernel(y: DType, *, scalar: int) -> Kernel:
    return Kernel(
        f"tmc_matmul_s8s8{y.value}",
        "tmc_matmul_args",
        (
            rows_of("x", ROWS, Var("depth"), Var("x_pitch")),
            rows_of("z", Var("z_rows"), Var("depth"), Var("z_pitch")),
            result(ROWS, mul(Var("z_rows"), y.size_bytes)),
        ),
        ("rows", "z_rows", "depth", "x_pitch", "z_pitch", "y_pitch", *_QUANTISATION),
        frozenset(_QUANTISATION),
        {"scalar": scalar, "xpulp": 144},
        _core_cycles,
    )


_BY_RESULT: Mapping[DType, Kernel] = {
    DType.S8: _kernel(DType.S8, scalar=48),
    DType.S16: _kernel(DType.S16, scalar=96),
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_BY_RESULT[graph.types[op.output].dtype],)


def _attrs(op: Op) -> QMatmulAttrs:
    assert isinstance(op.attrs, QMatmulAttrs)
    return op.attrs


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    return {
        "rows": _columns(graph, op).x_rows,
        "z_rows": graph.types[op.output].shape[1],
        "depth": graph.types[op.inputs[0]].shape[1],
        **{name: getattr(_attrs(op), name) for name in _QUANTISATION},
    }


def _columns(graph: Graph, op: Op) -> ColumnNeeds:
    """Return how many rows a call has: the most that part a group evenly and are no more than a tile."""
    (total, depth), y = graph.types[op.inputs[0]].shape, graph.types[op.output]
    group = total // _attrs(op).groups
    row_bytes = word_up(depth) + word_up(y.shape[1] * y.dtype.size_bytes)
    rows = max(
        count
        for count in range(1, group + 1)
        if group % count == 0 and (count == 1 or count * row_bytes <= TILE_BYTES)
    )
    return ColumnNeeds(rows, rows, z_rows=y.shape[1], calls_per_z=group // rows)


def _macs(graph: Graph, op: Op) -> int:
    rows, depth = graph.types[op.inputs[0]].shape
    return rows * depth * graph.types[op.output].shape[1]


MATMUL = KernelRecord(
    OpKind.QMATMUL,
    "cores",
    "columns",
    tuple(_BY_RESULT.values()),
    _chosen,
    _numbers,
    ("matmul", MatmulCosts),
    row_inputs=("x", "z"),
    columns=_columns,
    macs=_macs,
)
