"""Expressions: their values, and constructors that fold what is known: the C shows no `* 1`, no `+ 0`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tmc.backend_gap9.program.program import (
    ARITHMETIC,
    Address,
    Argument,
    Binary,
    Call,
    Compare,
    Const,
    Dma,
    Expr,
    If,
    Job,
    JobEnd,
    Let,
    Lookup,
    Operand,
    Part,
    Slot,
    Stmt,
    Var,
    Wait,
)

Number = Expr | int
Variables = Mapping[str, int]


def expr(number: Number) -> Expr:
    """Return a number as an expression."""
    return Const(number) if isinstance(number, int) else number


def add(*numbers: Number) -> Expr:
    """Return the sum, constants collected at the end."""
    total = 0
    rest: list[Expr] = []
    for number in numbers:
        match number:
            case int(value) | Const(value):
                total += value
            case Binary("+", inner, Const(value)):
                total += value
                rest.append(inner)
            case _:
                rest.append(number)
    if not rest:
        return Const(total)
    result = rest[0]
    for term in rest[1:]:
        result = Binary("+", result, term)
    return result if total == 0 else Binary("+", result, Const(total))


def mul(left: Number, right: Number) -> Expr:
    """Return the product."""
    a, b = expr(left), expr(right)
    if isinstance(a, Const) and isinstance(b, Const):
        return Const(a.value * b.value)
    for known, other in ((a, b), (b, a)):
        if isinstance(known, Const):
            if known.value == 0:
                return Const(0)
            return other if known.value == 1 else Binary("*", other, known)
    return Binary("*", a, b)


def mod(left: Number, right: int) -> Expr:
    """Return left % right."""
    a = expr(left)
    if isinstance(a, Const) or right == 1:
        return Const(a.value % right if isinstance(a, Const) else 0)
    return Binary("%", a, Const(right))


def div(left: Number, right: Number) -> Expr:
    """Return left / right, rounded down."""
    a, b = expr(left), expr(right)
    if b == Const(1):
        return a
    if isinstance(a, Const) and isinstance(b, Const):
        return Const(ARITHMETIC["/"](a.value, b.value))
    return Binary("/", a, b)


def tile_size(index: Number, tile: int, total: int) -> Expr:
    """Return the size of tile `index` of `total` things in tiles of `tile`: the last one may be smaller."""
    if total % tile == 0:
        return Const(tile)
    number = expr(index)
    if isinstance(number, Const):
        return Const(min(tile, total - number.value * tile))
    return Binary("min", Const(tile), Binary("-", Const(total), mul(number, tile)))


def tiles(total: int, tile: int) -> int:
    """Return the number of tiles."""
    return -(-total // tile)


def round_up_to_word(size: Number) -> Expr:
    """Return a size rounded up to a multiple of 4."""
    if (
        isinstance(size, Binary)
        and size.operator == "*"
        and isinstance(size.right, Const)
        and size.right.value % 4 == 0
    ):
        return size
    return mul(div(add(size, 3), 4), 4)


def compiled(size: Expr) -> Callable[[Variables], int]:
    """Return an expression without tables as a function of its variables.

    Raises: ValueError for an entry of a table.
    """
    match size:
        case Const(number):
            return lambda variables: number
        case Var(name):
            return lambda variables: variables[name]
        case Binary(sign, left_size, right_size):
            left, right, apply = compiled(left_size), compiled(right_size), ARITHMETIC[sign]
            return lambda variables: apply(left(variables), right(variables))
        case Lookup(table):
            raise ValueError(f"found an entry of table {table}, allowed names and numbers")


def substituted(size: Expr, values: Mapping[str, Expr]) -> Expr:
    """Return an expression with expressions for its variables, folded."""
    match size:
        case Const():
            return size
        case Var(name):
            return values[name]
        case Lookup(table, index):
            return Lookup(table, substituted(index, values))
        case Binary(sign, left_size, right_size):
            left, right = substituted(left_size, values), substituted(right_size, values)
            match sign:
                case "+":
                    return add(left, right)
                case "*":
                    return mul(left, right)
                case "/":
                    return div(left, right)
                case _:
                    return Binary(sign, left, right)


def with_tables(statement: Stmt, renamed: Callable[[str], str]) -> Stmt:
    """Return a statement whose own numbers are entries of tables of other names.

    Bodies, and the call of a job, stay as they are.
    """

    def number(size: Expr) -> Expr:
        match size:
            case Lookup(table, index):
                return Lookup(renamed(table), number(index))
            case Binary(sign, left, right):
                return Binary(sign, number(left), number(right))
            case _:
                return size

    def place(address: Address) -> Address:
        return Address(address.buffer, number(address.offset_bytes))

    def operand(given: Operand) -> Operand:
        part = given.part
        held = Part(part.value, number(part.row), number(part.column_bytes))
        return Operand(given.field, place(given.address), held)

    match statement:
        case Let(name, value):
            return Let(name, number(value))
        case If(Compare(sign, left, right), body):
            return If(Compare(sign, number(left), number(right)), body)
        case Dma(slot, direction, l1, l2, lines, line_bytes, pitch):
            sizes = number(lines), number(line_bytes), number(pitch)
            return Dma(_slot(slot, number), direction, place(l1), place(l2), *sizes)
        case Wait(slot, memory):
            return Wait(_slot(slot, number), memory)
        case Call(kernel, op, operands, arguments):
            numbers = tuple(Argument(each.field, number(each.value)) for each in arguments)
            return Call(kernel, op, tuple(map(operand, operands)), numbers)
        case Job(slot, call) | JobEnd(slot, call):
            return type(statement)(_slot(slot, number), call)
        case _:
            return statement


def _slot(slot: Slot, number: Callable[[Expr], Expr]) -> Slot:
    return Slot(slot.name, number(slot.index))
