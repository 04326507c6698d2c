"""Kernels that move rows or columns: runs of them as they stand, or picked one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, flat, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, Run
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Const, Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.types import DType

ROW_BYTES, STEP_BYTES = Var("row_bytes"), Var("step_bytes")
INDEX_BYTES = 2  # of a row's or column's number in the table of a gather
INDICES = 1 << (8 * INDEX_BYTES)  # rows or columns to pick from, at most


@dataclass(frozen=True, slots=True)
class MoveCosts:
    """Per step of a copy: words, halves, bytes; per row, and per row that a table picks.

    Per element of a row whose columns a table picks: of one byte, or more.
    """

    word_cycles: float
    half_cycles: float
    byte_cycles: float
    row_cycles: float
    picked_cycles: float
    byte_column_cycles: float
    column_cycles: float


def step_bytes(*multiples: int) -> int:
    """Return the widest step for addresses and pitches that are these multiples: 1, 2 or 4 bytes."""
    return gcd(4, *multiples)


def copied_cycles(target: Target, a: Arguments, row_cycles: float) -> float:
    """Return the cycles of the core with most to do: whole rows, or a part of each where they are few."""
    costs = costs_of(target, "moves", MoveCosts)
    each = {4: costs.word_cycles, 2: costs.half_cycles, 1: costs.byte_cycles}[step_bytes(a["step_bytes"])]
    rows, words = a["rows"], -(-a["row_bytes"] // 4)
    if rows < target.cores:
        words = share(target, words)
    else:
        rows = share(target, rows)
    return rows * (words * 4 / step_bytes(a["step_bytes"]) * each + row_cycles)


def _copy_cycles(target: Target, a: Arguments) -> float:
    return copied_cycles(target, a, costs_of(target, "moves", MoveCosts).row_cycles)


def _gather_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "moves", MoveCosts)
    return copied_cycles(target, a, costs.row_cycles + costs.picked_cycles)


_Y = result(ROWS, ROW_BYTES, pitch_unit=STEP_BYTES, start_unit=STEP_BYTES)
COPY_ROWS = Kernel(
    "tmc_copy_rows_s8s8",
    "tmc_copy_rows_args",
    (rows_of("x", ROWS, ROW_BYTES, Var("x_pitch"), pitch_unit=STEP_BYTES, start_unit=STEP_BYTES), _Y),
    ("rows", "row_bytes", "x_pitch", "y_pitch", "step_bytes"),
    frozenset(),
    {"scalar": 16, "xpulp": 48},
    _copy_cycles,
)
GATHER_ROWS = Kernel(
    "tmc_gather_rows_s8s8",
    "tmc_gather_rows_args",
    (
        rows_of("x", Var("x_rows"), ROW_BYTES, Var("x_pitch"), pitch_unit=STEP_BYTES, start_unit=STEP_BYTES),
        flat("table", mul(ROWS, INDEX_BYTES), start_unit=Const(INDEX_BYTES)),
        _Y,
    ),
    ("x_rows", "rows", "row_bytes", "x_pitch", "y_pitch", "first", "step_bytes"),
    frozenset(),
    {"scalar": 16, "xpulp": 48},
    _gather_cycles,
)


def _gather_columns(stem: str, dtype: DType) -> Kernel:
    size_bytes = dtype.size_bytes

    def core_cycles(target: Target, a: Arguments) -> float:
        costs = costs_of(target, "moves", MoveCosts)
        each = costs.byte_column_cycles if size_bytes == 1 else costs.column_cycles
        return share(target, a["rows"]) * a["channels"] * each

    unit = Const(size_bytes)
    return Kernel(
        stem,
        "tmc_gather_columns_args",
        (
            rows_of("x", ROWS, mul(Var("x_channels"), size_bytes), Var("x_pitch"), pitch_unit=unit),
            flat("table", mul(CHANNELS, INDEX_BYTES)),
            result(ROWS, mul(CHANNELS, size_bytes), pitch_unit=unit),
        ),
        ("rows", "x_channels", "channels", "x_pitch", "y_pitch"),
        frozenset(),
        {"scalar": 16, "xpulp": 48},
        core_cycles,
    )


GATHER_COLUMNS: Mapping[DType, Kernel] = {
    DType.S8: _gather_columns("tmc_gather_columns_s8s8", DType.S8),
    DType.S16: _gather_columns("tmc_gather_columns_s16s16", DType.S16),
    DType.S32: _gather_columns("tmc_gather_columns_s32s32", DType.S32),
}


def copied(operand: int, target: int, first: int, count: int) -> Run:
    """Return a run that is copied as it stands."""
    return Run(operand, target, range(first, first + count), COPY_ROWS)


def cut_at_jumps(indices: Sequence[int]) -> tuple[range, ...]:
    """Return indices as runs of consecutive ones."""
    starts = [at for at, index in enumerate(indices) if at == 0 or index != indices[at - 1] + 1]
    ends = (*starts[1:], len(indices))
    return tuple(
        range(indices[start], indices[start] + end - start) for start, end in zip(starts, ends, strict=True)
    )
