"""Places in a program, for error messages; expressions, evaluated with every rule checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tmc.backend_gap9.program.program import (
    ARITHMETIC,
    Binary,
    Call,
    Compare,
    Const,
    Dma,
    Expr,
    Fetch,
    Job,
    JobEnd,
    Lookup,
    Stmt,
    Var,
    Wait,
)
from tmc.ir.errors import CheckError

Variables = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """A statement of a stage, at one turn of the loops around it."""

    stage: str
    statement: Stmt
    variables: Variables

    def __str__(self) -> str:
        """Return stage, statement and loop variables."""
        at = " ".join(f"{name}={value}" for name, value in self.variables.items())
        return f"stage {self.stage}, {_describe(self.statement)}" + (f" at {at}" if at else "")

    def error(self, what: str, *notes: str) -> CheckError:
        """Return the error that this place breaks a rule."""
        return CheckError(str(self), what, *notes)


def _describe(statement: Stmt) -> str:
    match statement:
        case Dma(slot, "in", l1, l2):
            return f"dma in {l2.buffer} to {l1.buffer} (slot {slot.name})"
        case Dma(slot, _, l1, l2):
            return f"dma out {l1.buffer} to {l2.buffer} (slot {slot.name})"
        case Fetch(slot, l2, l3):
            return f"fetch {l3.buffer} to {l2.buffer} (slot {slot.name})"
        case Wait(slot, memory):
            return f"wait for {memory} slot {slot.name}"
        case Job(slot, call):
            return f"job {call.kernel} of %{call.op} (slot {slot.name})"
        case JobEnd(slot, call):
            return f"wait for the job {call.kernel} of %{call.op} (slot {slot.name})"
        case Call(kernel, op):
            return f"call {kernel} of %{op}"
        case other:
            return type(other).__name__.lower()


class Numbers:
    """Values of expressions. Each expression is taken apart once, then only computed."""

    def __init__(self, tables: Mapping[str, tuple[int, ...]]) -> None:
        """Use these tables for Lookup."""
        self._tables = tables
        # The expression is kept with its function, so that its id stays its own.
        self._known: dict[int, tuple[Expr, Callable[[Variables], int]]] = {}

    def value(self, expr: Expr, place: Place) -> int:
        """Return the value of an expression at a place.

        Raises: CheckError for a name without a value, a negative operand, a division by 0, or an index
        outside its table.
        """
        if type(expr) is Const:
            return expr.value
        known = self._known.get(id(expr))
        if known is None:
            known = self._known[id(expr)] = (expr, self._function(expr))
        try:
            return known[1](place.variables)
        except KeyError as error:
            raise place.error(
                f"found the name {error} without a value, allowed names bound around it"
            ) from None
        except ValueError as error:
            raise place.error(str(error)) from None

    def holds(self, condition: Compare, place: Place) -> bool:
        """Tell whether a condition holds at a place."""
        left, right = self.value(condition.left, place), self.value(condition.right, place)
        return left < right if condition.operator == "<" else left == right

    def _function(self, expr: Expr) -> Callable[[Variables], int]:
        match expr:
            case Const(number):
                return lambda variables: number
            case Var(name):
                return lambda variables: variables[name]
            case Lookup(name, index_expr):
                index = self._function(index_expr)
                return lambda variables: _entry(name, self._tables[name], index(variables))
            case Binary(sign, left_expr, right_expr):
                left, right = self._function(left_expr), self._function(right_expr)
                return lambda variables: _binary(sign, left(variables), right(variables))


def _entry(name: str, table: tuple[int, ...], index: int) -> int:
    if not 0 <= index < len(table):
        raise ValueError(f"found index {index} of table {name}, allowed 0 to {len(table) - 1}")
    return table[index]


def _binary(sign: str, left: int, right: int) -> int:
    if left < 0 or right < 0 or (right == 0 and sign in "/%"):
        raise ValueError(f"found {left} {sign} {right}, allowed operands from 0 on and divisors from 1 on")
    return ARITHMETIC[sign](left, right)
