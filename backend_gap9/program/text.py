"""The text form of a program: one line per statement, for people and for diffs."""

from __future__ import annotations

from collections.abc import Iterator

from tmc.backend_gap9.program.program import (
    Address,
    Barrier,
    Binary,
    Call,
    Const,
    Dma,
    Expr,
    Fetch,
    If,
    Job,
    JobEnd,
    Let,
    Lookup,
    Loop,
    Program,
    Slot,
    Stmt,
    Var,
    Wait,
)


def print_program(program: Program) -> str:
    """Return the program as text: L2 and L3 buffers, then every stage with its L1 buffers and statements."""
    lines = [
        f"program {program.name}: l1 {program.l1_bytes} l2 {program.l2_bytes} l3 {program.l3_bytes} bytes"
    ]
    lines += [
        f"  {each.memory} {each.name}: {each.size_bytes} bytes "
        f"{'of the caller' if each.external else f'at {each.offset_bytes}'}"
        for each in program.buffers
    ]
    for stage in (program.init, *program.stages):
        lines.append(f"{stage.name}:")
        lines += [f"  # {line}" for line in stage.title]
        lines += [
            f"  l1 {each.name}: {each.size_bytes} bytes at {each.offset_bytes}" for each in stage.buffers
        ]
        lines += [f"  table {name} = {', '.join(map(str, table))}" for name, table in stage.tables.items()]
        lines += _statements(stage.body, "  ")
    return "\n".join(lines) + "\n"


def print_expr(expr: Expr) -> str:
    """Return an expression as text, with brackets around every sum inside another operation."""
    match expr:
        case Const(value):
            return str(value)
        case Var(name):
            return name
        case Lookup(table, index):
            return f"{table}[{print_expr(index)}]"
        case Binary("min", left, right):
            return f"min({print_expr(left)}, {print_expr(right)})"
        case Binary(sign, left, right):
            return f"{_bracketed(left)} {sign} {_bracketed(right)}"


def _bracketed(expr: Expr) -> str:
    text = print_expr(expr)
    return f"({text})" if isinstance(expr, Binary) and expr.operator != "min" else text


def _statements(body: tuple[Stmt, ...], indent: str) -> Iterator[str]:
    for statement in body:
        match statement:
            case Loop(var, count, inner):
                yield f"{indent}for {var} in 0 .. {count - 1}"
                yield from _statements(inner, indent + "  ")
            case If(condition, inner):
                left, right = print_expr(condition.left), print_expr(condition.right)
                yield f"{indent}if {left} {condition.operator} {right}"
                yield from _statements(inner, indent + "  ")
            case _:
                yield indent + _line(statement)


def _line(statement: Let | Dma | Fetch | Wait | Call | Job | JobEnd | Barrier) -> str:
    match statement:
        case Let(var, value):
            return f"{var} = {print_expr(value)}"
        case Dma(slot, direction, l1, l2, lines, line_bytes, pitch):
            source, target = (l2, l1) if direction == "in" else (l1, l2)
            return (
                f"dma {_slot(slot)}: {_address(source)} -> {_address(target)}, {print_expr(lines)} lines of "
                f"{print_expr(line_bytes)} bytes, {print_expr(pitch)} apart in l2"
            )
        case Fetch(slot, l2, l3, size_bytes):
            return f"fetch {_slot(slot)}: l3 {_address(l3)} -> l2 {_address(l2)}, {size_bytes} bytes"
        case Wait(slot, _):
            return f"wait {_slot(slot)}"
        case Call(kernel, op, operands, arguments):
            pointers = [
                f"{each.field}={_address(each.address)} holding {each.part.value}"
                f"[{print_expr(each.part.row)}, {print_expr(each.part.column_bytes)}]"
                for each in operands
            ]
            numbers = [f"{each.field}={print_expr(each.value)}" for each in arguments]
            return f"call {kernel} for {op}: {', '.join((*pointers, *numbers))}"
        case Job(slot, call):
            return f"job {_slot(slot)}: {_line(call)}"
        case JobEnd(slot, call):
            return f"wait {_slot(slot)}: {_line(call)}"
        case Barrier():
            return "barrier"


def _slot(slot: Slot) -> str:
    return f"{slot.name}[{print_expr(slot.index)}]"


def _address(address: Address) -> str:
    return f"{address.buffer} + {print_expr(address.offset_bytes)}"
