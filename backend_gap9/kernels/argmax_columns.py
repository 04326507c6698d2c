"""The kernels of the column of the largest of each row: int8 or int16, the result int32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import DType


@dataclass(frozen=True, slots=True)
class ArgmaxColumnsCosts:
    """Per element of the operand."""

    element_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "argmax_columns", ArgmaxColumnsCosts)
    return share(target, a["rows"]) * a["x_channels"] * costs.element_cycles


def _kernel(stem: str, dtype: DType) -> Kernel:
    return Kernel(
        stem,
        "tmc_argmax_columns_args",
        (
            rows_of("x", ROWS, mul(Var("x_channels"), dtype.size_bytes), Var("x_pitch")),
            result(ROWS, DType.S32.size_bytes),
        ),
        ("rows", "x_channels", "x_pitch", "y_pitch"),
        frozenset(),
        {"scalar": 32, "xpulp": 32},
        _core_cycles,
    )


_BY_TYPE: Mapping[DType, Kernel] = {
    DType.S8: _kernel("tmc_argmax_columns_s8s32", DType.S8),
    DType.S16: _kernel("tmc_argmax_columns_s16s32", DType.S16),
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_BY_TYPE[graph.types[op.inputs[0]].dtype],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    return {"x_channels": graph.types[op.inputs[0]].shape[1]}


ARGMAX_COLUMNS = KernelRecord(
    OpKind.ARGMAX_COLUMNS,
    "cores",
    "rows",
    tuple(_BY_TYPE.values()),
    _chosen,
    _numbers,
    ("argmax_columns", ArgmaxColumnsCosts),
)
