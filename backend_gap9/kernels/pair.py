"""The record of an op on two values, int8 or int16 each, of scales of their own: a sum, a product."""

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
from tmc.ir.attrs import Attrs
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import DType


@dataclass(frozen=True, slots=True)
class PairCosts:
    """Per element: where all are int8, and where some are int16."""

    element_cycles: float
    wide_cycles: float


def pair_record(
    kind: OpKind, name: str, attrs_type: type[Attrs], quantisation: tuple[str, ...]
) -> KernelRecord:
    """Return the record of an op whose kernels are tmc_<name>_<x><z><y>, for all types of x, z and y.

    quantisation: the numbers of attrs_type that its kernels are given.
    """
    choices = {
        types: _kernel(name, quantisation, *types) for types in product((DType.S8, DType.S16), repeat=3)
    }

    def chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
        check_second_rows(graph, op)
        x, z, y = (graph.types[value].dtype for value in (*op.inputs, op.output))
        return (choices[x, z, y],)

    def numbers(graph: Graph, op: Op) -> Mapping[str, int]:
        assert isinstance(op.attrs, attrs_type)
        return {**constant_pitch(graph, op), **{each: getattr(op.attrs, each) for each in quantisation}}

    return KernelRecord(
        kind,
        "cores",
        "rows",
        tuple(choices.values()),
        chosen,
        numbers,
        (name, PairCosts),
        constant_row,
        constant_lines,
        row_inputs=("x", "z"),
    )


def _kernel(name: str, quantisation: tuple[str, ...], x: DType, z: DType, y: DType) -> Kernel:
    def core_cycles(target: Target, a: Arguments) -> float:
        costs = costs_of(target, name, PairCosts)
        each = costs.wide_cycles if DType.S16 in (x, z, y) else costs.element_cycles
        return share(target, a["rows"]) * a["channels"] * each

    return Kernel(
        f"tmc_{name}_{x.value}{z.value}{y.value}",
        f"tmc_{name}_args",
        (
            rows_of("x", ROWS, mul(CHANNELS, x.size_bytes), Var("x_pitch")),
            second_rows(z),
            result(ROWS, mul(CHANNELS, y.size_bytes)),
        ),
        ("rows", "channels", "x_pitch", "z_pitch", "y_pitch", *quantisation),
        frozenset(quantisation),
        {"scalar": 48, "xpulp": 96},
        core_cycles,
    )
