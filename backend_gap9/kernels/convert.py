"""Kernels that bring int8 or int16 values to another scale, in int8 or int16."""

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
from tmc.ir.integer.qconvert import QConvertAttrs
from tmc.ir.types import DType


@dataclass(frozen=True, slots=True)
class ConvertCosts:
    """Per element; unsigned_: of codes + 128, per element and per row."""

    element_cycles: float
    unsigned_cycles: float
    unsigned_row_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "convert", ConvertCosts)
    return share(target, a["rows"]) * a["channels"] * costs.element_cycles


_QUANTISATION = ("multiplier", "bias", "shift")


def _kernel(x: DType, y: DType) -> Kernel:
    return Kernel(
        f"tmc_convert_{x.value}{y.value}",
        "tmc_convert_args",
        (
            rows_of("x", ROWS, mul(CHANNELS, x.size_bytes), Var("x_pitch")),
            result(ROWS, mul(CHANNELS, y.size_bytes)),
        ),
        ("rows", "channels", "x_pitch", "y_pitch", *_QUANTISATION),
        frozenset(_QUANTISATION),
        {"scalar": 48, "xpulp": 48},
        _core_cycles,
    )


def _unsigned_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "convert", ConvertCosts)
    return share(target, a["rows"]) * (a["channels"] * costs.unsigned_cycles + costs.unsigned_row_cycles)


# What an accelerator reads: nothing to choose, and words at a time.
_TO_UNSIGNED = Kernel(
    "tmc_convert_s8u8",
    "tmc_offset_args",
    (rows_of("x", ROWS, CHANNELS, Var("x_pitch")), result(ROWS, CHANNELS)),
    ("rows", "channels", "x_pitch", "y_pitch"),
    frozenset(),
    {"scalar": 48, "xpulp": 48},
    _unsigned_cycles,
    is_short=True,
)
# By the types of operand and result.
_CHOICES: Mapping[tuple[DType, DType], Kernel] = {
    **{(x, y): _kernel(x, y) for x in (DType.S8, DType.S16) for y in (DType.S8, DType.S16)},
    (DType.S8, DType.U8): _TO_UNSIGNED,
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_CHOICES[graph.types[op.inputs[0]].dtype, graph.types[op.output].dtype],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    return {name: getattr(_attrs(op), name) for name in _QUANTISATION}


def _attrs(op: Op) -> QConvertAttrs:
    assert isinstance(op.attrs, QConvertAttrs)
    return op.attrs


CONVERT = KernelRecord(
    OpKind.QCONVERT,
    "cores",
    "rows",
    tuple(_CHOICES.values()),
    _chosen,
    _numbers,
    ("convert", ConvertCosts),
)
