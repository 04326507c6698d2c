"""The kernel of a softmax of int16 rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qsoftmax import QSoftmaxAttrs


@dataclass(frozen=True, slots=True)
class SoftmaxCosts:
    """Per element, and per row."""

    element_cycles: float
    row_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "softmax", SoftmaxCosts)
    return share(target, a["rows"]) * (a["channels"] * costs.element_cycles + costs.row_cycles)


_QUANTISATION = ("limit", "multiplier", "shift")
_KERNEL = Kernel(
    "tmc_softmax_s16s16",
    "tmc_softmax_args",
    (rows_of("x", ROWS, mul(CHANNELS, 2), Var("x_pitch")), result(ROWS, mul(CHANNELS, 2))),
    ("rows", "channels", "x_pitch", "y_pitch", *_QUANTISATION),
    frozenset(_QUANTISATION),
    {"scalar": 80, "xpulp": 80},
    _core_cycles,
)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    assert isinstance(op.attrs, QSoftmaxAttrs)
    return {name: getattr(op.attrs, name) for name in _QUANTISATION}


SOFTMAX = KernelRecord(
    OpKind.QSOFTMAX,
    "cores",
    "rows",
    (_KERNEL,),
    lambda graph, op: (_KERNEL,),
    _numbers,
    ("softmax", SoftmaxCosts),
)
