"""Kernels of a sum or difference of two values, int8 or int16 each, of scales of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.kernels.second_operand import (
    check_second_rows,
    constant_lines,
    constant_pitch,
    constant_row,
    second_rows,
)
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qadd import QAddAttrs
from tmc.ir.types import DType


@dataclass(frozen=True, slots=True)
class AddCosts:
    """Per element: where all are int8, and where some are int16."""

    element_cycles: float
    wide_cycles: float


_QUANTISATION = ("x_multiplier", "z_multiplier", "bias", "shift")


def _kernel(x: DType, z: DType, y: DType) -> Kernel:
    def core_cycles(target: Target, a: Arguments) -> float:
        costs = costs_of(target, "add", AddCosts)
        each = costs.wide_cycles if DType.S16 in (x, z, y) else costs.element_cycles
        return share(target, a["rows"]) * a["channels"] * each

    return Kernel(
        f"tmc_add_{x.value}{z.value}{y.value}",
        "tmc_add_args",
        (
            rows_of("x", ROWS, mul(CHANNELS, x.size_bytes), Var("x_pitch")),
            second_rows(z),
            result(ROWS, mul(CHANNELS, y.size_bytes)),
        ),
        ("rows", "channels", "x_pitch", "z_pitch", "y_pitch", *_QUANTISATION),
        frozenset(_QUANTISATION),
        {"scalar": 48, "xpulp": 96},
        core_cycles,
    )


# By the types of x, z and the result.
_CHOICES: Mapping[tuple[DType, DType, DType], Kernel] = {
    (x, z, y): _kernel(x, z, y) for x, z, y in product((DType.S8, DType.S16), repeat=3)
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    check_second_rows(graph, op)
    x, z, y = (graph.types[name].dtype for name in (*op.inputs, op.output))
    return (_CHOICES[x, z, y],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    attrs = op.attrs
    assert isinstance(attrs, QAddAttrs)
    return {**constant_pitch(graph, op), **{name: getattr(attrs, name) for name in _QUANTISATION}}


ADD = KernelRecord(
    OpKind.QADD,
    "cores",
    "rows",
    tuple(_CHOICES.values()),
    _chosen,
    _numbers,
    ("add", AddCosts),
    constant_row,
    constant_lines,
    row_inputs=("x", "z"),
)
