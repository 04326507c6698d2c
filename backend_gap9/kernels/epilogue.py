"""What the cores make of a tile of NE16's results: a table over codes, int16 of int32, columns of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import share
from tmc.backend_gap9.kernels.grid import SPLIT, grid_parts
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, TABLE_BYTES, flat, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, OperandRule
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Expr, Var
from tmc.backend_gap9.target.target import Target

FOUR_ROWS = 4


@dataclass(frozen=True, slots=True)
class EpilogueCosts:
    """Per element, and per row of a core; left_cycles: of those rows that are no whole four, transposed."""

    table_cycles: float
    table_row_cycles: float
    add_cycles: float
    add_row_cycles: float
    narrow_cycles: float
    narrow_row_cycles: float
    transposed_cycles: float
    left_cycles: float

    def turned(self, rows: int, channels: int) -> float:
        """Return the cycles of a core for its channels of a tile that is transposed."""
        left = rows % FOUR_ROWS
        return channels * ((rows - left) * self.transposed_cycles + left * self.left_cycles)


@dataclass(frozen=True, slots=True)
class Epilogues:
    """The kernels. table: int8 by a table; add: int32 onto int16; narrow: int32 to int16; transposed: int8.

    Of each, x is the tile and y the result, or the residual before and the sum after.
    """

    table: Kernel
    add: Kernel
    narrow: Kernel
    transposed: Kernel

    @property
    def all(self) -> tuple[Kernel, ...]:
        """Return all of them."""
        return self.table, self.add, self.narrow, self.transposed


def epilogues(costs: Callable[[Target], EpilogueCosts]) -> Epilogues:
    """Return the kernels. costs: those of a target."""

    def by_rows(each: Callable[[EpilogueCosts], tuple[float, float]]) -> Callable[[Target, Arguments], float]:
        def core_cycles(target: Target, a: Arguments) -> float:
            element, row = each(costs(target))
            parts = grid_parts(target, a["rows"], a["channels"], a[SPLIT])
            return max(part.rows * (part.channels * element + row) for part in parts)

        return core_cycles

    def turned(target: Target, a: Arguments) -> float:
        return costs(target).turned(a["rows"], share(target, a["channels"]))

    sums, halves = _tile(mul(CHANNELS, 4)), mul(CHANNELS, 2)
    return Epilogues(
        table=_kernel(
            "tmc_epilogue_table_s8s8",
            (_tile(CHANNELS), flat("table", TABLE_BYTES), result(ROWS, CHANNELS)),
            by_rows(lambda each: (each.table_cycles, each.table_row_cycles)),
            scalar=32,
            xpulp=48,
        ),
        add=_kernel(
            "tmc_epilogue_add_s32s16",
            (sums, result(ROWS, halves, access="update")),
            by_rows(lambda each: (each.add_cycles, each.add_row_cycles)),
            scalar=32,
            xpulp=32,
        ),
        narrow=_kernel(
            "tmc_epilogue_s32s16",
            (sums, result(ROWS, halves)),
            by_rows(lambda each: (each.narrow_cycles, each.narrow_row_cycles)),
            scalar=32,
            xpulp=32,
        ),
        transposed=_kernel(
            "tmc_epilogue_transposed_s8s8",
            (_tile(CHANNELS), result(CHANNELS, ROWS)),
            turned,
            split=False,
            scalar=16,
            xpulp=32,
        ),
    )


def _tile(row_bytes: Expr) -> OperandRule:
    return rows_of("x", ROWS, row_bytes, Var("x_pitch"))


def _kernel(
    stem: str,
    operands: tuple[OperandRule, ...],
    core_cycles: Callable[[Target, Arguments], float],
    *,
    split: bool = True,
    scalar: int,
    xpulp: int,
) -> Kernel:
    return Kernel(
        stem,
        "tmc_epilogue_args",
        operands,
        ("rows", "channels", "x_pitch", "y_pitch", *((SPLIT,) if split else ())),
        frozenset(),
        {"scalar": scalar, "xpulp": xpulp},
        core_cycles,
        is_short=True,
    )
