"""The kernels of a rotary embedding: one head of int16 rows, rotated and requantised to 8 or 16 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.types import Array, DType


@dataclass(frozen=True, slots=True)
class RopeCosts:
    """Per element of an int8 result, and how much more of an int16 one."""

    element_cycles: float
    wide_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    return share(target, a["rows"]) * a["width"] * costs_of(target, "rope", RopeCosts).element_cycles


def _wide_core_cycles(target: Target, a: Arguments) -> float:
    more = share(target, a["rows"]) * a["width"] * costs_of(target, "rope", RopeCosts).wide_cycles
    return _core_cycles(target, a) + more


_WIDTH = Var("width")
_ROPE = Kernel(
    "tmc_rope_s16s8",
    "tmc_rope_args",
    (
        rows_of("x", ROWS, mul(_WIDTH, 2), Var("x_pitch")),
        rows_of("table", Var("period"), mul(_WIDTH, 2), Var("table_pitch")),
        result(ROWS, _WIDTH),
    ),
    ("rows", "width", "x_pitch", "y_pitch", "table_pitch", "row0", "period", "shift"),
    frozenset({"shift"}),
    {"scalar": 16, "xpulp": 80},
    _core_cycles,
)
_UNSIGNED_ROPE = replace(_ROPE, stem="tmc_rope_s16u8")
_WIDE_ROPE = replace(
    _ROPE,
    stem="tmc_rope_s16s16",
    operands=(*_ROPE.operands[:2], result(ROWS, mul(_WIDTH, 2))),
    arguments=(*_ROPE.arguments, "limit"),
    quantisation=frozenset({"shift", "limit"}),
    stack_bytes={"scalar": 64, "xpulp": 96},
    core_cycles=_wide_core_cycles,
)
_KERNELS: Mapping[DType, Kernel] = {DType.S8: _ROPE, DType.U8: _UNSIGNED_ROPE, DType.S16: _WIDE_ROPE}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_KERNELS[graph.types[op.output].dtype],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    assert isinstance(op.attrs, QRopeAttrs)
    width = graph.types[op.output].shape[2]
    period = graph.types[op.inputs[1]].shape[0]
    numbers = {"width": width, "table_pitch": 2 * width, "period": period, "shift": op.attrs.shift}
    return numbers if op.attrs.bits == 8 else numbers | {"limit": 2 ** (op.attrs.bits - 1) - 1}


def _line_tables(graph: Graph, op: Op) -> tuple[str, ...]:
    """Return the table if it has a line for each row; a shorter one, used again and again, stays in L1."""
    table = op.inputs[1]
    return (table,) if graph.types[table].shape[0] == graph.types[op.inputs[0]].shape[0] else ()


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    return {} if _line_tables(graph, op) else {"table": graph.constants[op.inputs[1]]}


ROPE = KernelRecord(
    OpKind.QROPE,
    "cores",
    "follower",
    tuple(_KERNELS.values()),
    _chosen,
    _numbers,
    ("rope", RopeCosts),
    _tables,
    line_tables=_line_tables,
)
