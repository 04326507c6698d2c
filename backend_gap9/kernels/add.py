"""The kernel of a sum of two int8 values of scales of their own, requantised to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qadd import QAddAttrs


@dataclass(frozen=True, slots=True)
class AddCosts:
    """Per element."""

    element_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    return share(target, a["rows"]) * a["channels"] * costs_of(target, "add", AddCosts).element_cycles


_QUANTISATION = ("x_multiplier", "z_multiplier", "bias", "shift")
_ADD = Kernel(
    "tmc_add_s8s8s8",
    "tmc_add_args",
    (
        rows_of("x", ROWS, CHANNELS, Var("x_pitch")),
        rows_of("z", ROWS, CHANNELS, Var("z_pitch")),
        result(ROWS, CHANNELS),
    ),
    ("rows", "channels", "x_pitch", "z_pitch", "y_pitch", *_QUANTISATION),
    frozenset(_QUANTISATION),
    {"scalar": 48, "xpulp": 96},
    _core_cycles,
)


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_ADD,)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    attrs = op.attrs
    assert isinstance(attrs, QAddAttrs)
    return {name: getattr(attrs, name) for name in _QUANTISATION}


ADD = KernelRecord(
    OpKind.QADD,
    "cores",
    "rows",
    (_ADD,),
    _chosen,
    _numbers,
    ("add", AddCosts),
    row_inputs=("x", "z"),
)
