"""The kernel of a permutation of rows: groups of rows, dealt one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.attrs import PermuteRowsAttrs
from tmc.ir.graph import Graph, Op, OpKind


@dataclass(frozen=True, slots=True)
class PermuteRowsCosts:
    """Per 4 bytes, and per row."""

    word_cycles: float
    row_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "permute_rows", PermuteRowsCosts)
    row = -(-a["row_bytes"] // 4) * costs.word_cycles + costs.row_cycles
    return share(target, a["rows"]) * row


_PERMUTE_ROWS = Kernel(
    "tmc_permute_rows_s8s8",
    "tmc_permute_rows_args",
    (rows_of("x", ROWS, Var("row_bytes"), Var("x_pitch")), result(ROWS, Var("row_bytes"))),
    ("rows", "row_bytes", "x_pitch", "y_pitch", "groups"),
    frozenset(),
    {"scalar": 16, "xpulp": 16},
    _core_cycles,
)


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_PERMUTE_ROWS,)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    assert isinstance(op.attrs, PermuteRowsAttrs)
    return {"rows": graph.types[op.output].shape[0], "groups": op.attrs.groups}


PERMUTE_ROWS = KernelRecord(
    OpKind.PERMUTE_ROWS,
    "cores",
    "columns",
    (_PERMUTE_ROWS,),
    _chosen,
    _numbers,
    ("permute_rows", PermuteRowsCosts),
)
