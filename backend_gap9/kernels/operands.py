"""Operands that kernels have in common: rows of an input, rows of a result, tables, rows of weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from tmc.backend_gap9.kernels.record import WORD, OperandRule, Size
from tmc.backend_gap9.program.expressions import Number, add, div, expr, mul, round_up_to_word
from tmc.backend_gap9.program.program import Const, Expr, Var

ROWS, CHANNELS, GROUP_ROWS = Var("rows"), Var("channels"), Var("group_rows")
TABLE_BYTES = 256  # one entry for each int8


def rows_of(
    field: str,
    rows: Number,
    row_bytes: Number,
    pitch_bytes: Number,
    *,
    channel_bytes: int = 0,
    pitch_unit: Expr = WORD,
    start_unit: Expr = WORD,
) -> OperandRule:
    """Return an operand that is read by rows."""
    sizes = (expr(rows), expr(row_bytes), expr(pitch_bytes))
    return OperandRule(field, "read", *sizes, pitch_unit, start_unit, channel_bytes)


def result(
    rows: Number,
    row_bytes: Number,
    *,
    access: Literal["write", "update"] = "write",
    pitch_unit: Expr = WORD,
    start_unit: Expr = WORD,
) -> OperandRule:
    """Return the result `y` of a kernel."""
    return OperandRule("y", access, expr(rows), expr(row_bytes), Var("y_pitch"), pitch_unit, start_unit)


def written(rule: OperandRule, *, in_place: str | None = None) -> OperandRule:
    """Return an operand that is written instead; in_place: at the rows of another one."""
    return replace(rule, access="write", in_place=in_place)


def flat(field: str, size_bytes: Size | int, *, start_unit: Expr = WORD) -> OperandRule:
    """Return a table that is read as one run of bytes."""
    size = Const(size_bytes) if isinstance(size_bytes, int) else size_bytes
    return OperandRule(field, "read", Const(1), size, size, start_unit=start_unit)


def weights_of(depth_bytes: Expr, *, bias: bool = True) -> OperandRule:
    """Return packed rows of so many bytes of weights, one for each channel: see `weight_rows.py`."""
    constants_bytes = 8 if bias else 4
    return rows_of(
        "weight", CHANNELS, add(round_up_to_word(depth_bytes), constants_bytes), Var("weight_pitch")
    )


def runs_of_rows() -> Expr:
    """Return how many lines a table has for the rows of a call, one for each run of group_rows rows."""
    return add(div(add(Var("row0"), ROWS, -1), GROUP_ROWS), 1)


def per_channel(field: str, entry_bytes: int) -> OperandRule:
    """Return a table with an entry for each channel."""
    return flat(field, mul(CHANNELS, entry_bytes))


def per_channel_table(field: str, entry_bytes: int) -> OperandRule:
    """Return a table with an entry for each channel of an op, where a call starts at its own first one."""
    size = mul(CHANNELS, entry_bytes)
    return OperandRule(field, "read", Const(1), size, size, channel_bytes=entry_bytes)
