"""Kernels of a requantisation by 64-bit factors: int32 or int8 rows to int8, through a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, TABLE_BYTES, flat, per_channel, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.types import Array, DType


@dataclass(frozen=True, slots=True)
class RequantiseCosts:
    """Per element."""

    element_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "requantise", RequantiseCosts)
    return share(target, a["rows"]) * a["channels"] * costs.element_cycles


def _kernel(stem: str, x: DType) -> Kernel:
    return Kernel(
        stem,
        "tmc_requantise_args",
        (
            rows_of("x", ROWS, mul(CHANNELS, x.size_bytes), Var("x_pitch")),
            per_channel("factors", 16),
            flat("table", TABLE_BYTES),
            result(ROWS, CHANNELS),
        ),
        ("rows", "channels", "x_pitch", "y_pitch", "zero_point", "ties_to_even"),
        frozenset({"zero_point"}),
        {"scalar": 48, "xpulp": 48},
        _core_cycles,
    )


_BY_INPUT: Mapping[DType, Kernel] = {
    DType.S32: _kernel("tmc_requantise_s32s8", DType.S32),
    DType.S8: _kernel("tmc_requantise_s8s8", DType.S8),
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_BY_INPUT[graph.types[op.inputs[0]].dtype],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    assert isinstance(op.attrs, QRequantiseAttrs)
    return {"zero_point": op.attrs.zero_point, "ties_to_even": int(op.attrs.ties == "even")}


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    factors, table = (graph.constants[name] for name in op.inputs[1:3])
    return {"factors": factors.astype("<i4"), "table": table}


REQUANTISE = KernelRecord(
    OpKind.QREQUANTISE,
    "cores",
    "rows",
    tuple(_BY_INPUT.values()),
    _chosen,
    _numbers,
    ("requantise", RequantiseCosts),
    _tables,
)
