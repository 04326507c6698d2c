"""Statements of a program as lines of C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from tmc.backend_gap9.emit.names import INDENT, Names, filled, wrapped
from tmc.backend_gap9.kernels.record import Size
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.program.expressions import substituted
from tmc.backend_gap9.program.program import (
    Address,
    Barrier,
    Binary,
    Call,
    Compare,
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
    Slot,
    Stmt,
    Var,
    Wait,
)

_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}
_TRANSFERS = Dma | Fetch | Job | Wait


def expression(expr: Expr) -> str:
    """Return an expression in unsigned arithmetic; a constant below 0 is an argument and stays signed."""
    match expr:
        case Const(value):
            return f"{value}u" if value >= 0 else str(value)
        case Var(name):
            return name
        case Lookup(table, index):
            return f"{table}[{expression(index)}]"
        case Binary("min", left, right):
            return f"smaller({expression(left)}, {expression(right)})"
        case Binary("+", left, Const(value)) if value < 0:
            return expression(Binary("-", left, Const(-value)))
        case Binary(operator, left, right):
            return f"{_side(left, operator, False)} {operator} {_side(right, operator, True)}"


def _side(expr: Expr, operator: str, is_right: bool) -> str:
    """Return an operand, in brackets where C needs them or where a reader would have to think."""
    text = expression(expr)
    if not isinstance(expr, Binary) or expr.operator == "min":
        return text
    inner, outer = _STRENGTH[expr.operator], _STRENGTH[operator]
    same = expr.operator == operator and operator in "+*"
    bare = inner > outer or (inner == outer and (same or (not is_right and outer == 1)))
    return text if bare else f"({text})"


def written(size: Size, numbers: Mapping[str, Expr]) -> Expr:
    """Return a size of what a call writes, with the call's numbers in it."""
    assert isinstance(size, Expr), "what is written has an extent of sums and products"
    return substituted(size, numbers)


@dataclass(frozen=True, slots=True)
class StagePrinter:
    """Print the statements of one stage. `l1` are the identifiers of its L1 buffers; views as in Program."""

    names: Names
    l1: Mapping[str, str]
    slots: Mapping[str, int]
    views: Mapping[str, str]

    def lines(self, body: tuple[Stmt, ...], indent: int) -> list[str]:
        """Return the lines of a body; what only core 0 does stands together."""
        result: list[str] = []
        for for_core_0, run in _runs(_joined(body)):
            if for_core_0:
                result += self.block_for_core_0(run, indent)
            else:
                result += [line for each in run for line in self.statement(each, indent)]
        return result

    def block_for_core_0(self, run: tuple[Stmt, ...], indent: int) -> list[str]:
        """Return a run of transfers and waits under the test for core 0."""
        if len(run) == 1 and isinstance(run[0], If):
            return self.conditional(run[0], indent, ("core == 0u",))
        return self.block("if (core == 0u)", run, indent)

    def statement(self, statement: Stmt, indent: int) -> list[str]:
        """Return the lines of one statement."""
        match statement:
            case Loop(var, count, body):
                return self.block(f"for (uint32_t {var} = 0; {var} < {count}u; ++{var})", body, indent)
            case If():
                return self.conditional(statement, indent, ())
            case Let(var, value):
                return wrapped(f"const uint32_t {var} = {expression(value)};", indent)
            case Dma():
                ends = [self.in_l1(statement.l1), self.in_l2(statement.l2)]
                if statement.direction == "out":
                    ends.reverse()
                # One line has no pitch.
                pitch = Const(0) if statement.lines == Const(1) else statement.l2_pitch_bytes
                sizes = map(expression, (statement.lines, statement.line_bytes, pitch))
                arguments = ", ".join((self.slot(statement.slot), *ends, *sizes))
                return wrapped(f"tmc_dma_{statement.direction}({arguments});", indent)
            case Fetch(slot, l2, l3, size_bytes):
                source = _offset(self.names.l3[l3.buffer], l3.offset_bytes)
                arguments = f"{self.slot(slot)}, {self.in_l2(l2)}, {source}, {size_bytes}u"
                return wrapped(f"tmc_l3_fetch({arguments});", indent)
            case Wait(slot, memory):
                function = "tmc_dma_wait" if memory == "l2" else "tmc_l3_wait"
                return wrapped(f"{function}({self.slot(slot)});", indent)
            case JobEnd(slot, call):
                wait = wrapped(f"tmc_job_wait({self.slot(slot)});", indent + INDENT)
                return [f"{'':{indent}}if (core == 0u)", *wait, *self.traces(call, indent)]
            case Job(slot, call):
                return self.called(call, indent, f"tmc_job_start({self.slot(slot)}, {call.kernel}, &args);")
            case Call():
                run = f"{statement.kernel}(&args);"
                return [*self.called(statement, indent, run), *self.traces(statement, indent)]
            case Barrier():
                return [f"{'':{indent}}tmc_barrier();"]

    def conditional(self, statement: If, indent: int, conditions: tuple[str, ...]) -> list[str]:
        """Return a condition, nested ones joined."""
        conditions = (*conditions, _condition(statement.condition))
        if len(statement.body) == 1 and isinstance(statement.body[0], If):
            return self.conditional(statement.body[0], indent, conditions)
        return self.block(f"if ({' && '.join(conditions)})", statement.body, indent)

    def block(self, head: str, body: tuple[Stmt, ...], indent: int) -> list[str]:
        """Return a head and its body; what is for core 0 alone stands behind a test for that already."""
        pad, inner = " " * indent, indent + INDENT
        if all(moves_only(each) for each in body):
            lines = [line for each in _joined(body) for line in self.statement(each, inner)]
        else:
            lines = self.lines(body, inner)
        if len(body) == 1 and isinstance(body[0], Dma | Fetch | Wait | Barrier):
            return [pad + head, *lines]
        return [f"{pad}{head} {{", *lines, f"{pad}}}"]

    def slot(self, slot: Slot) -> str:
        """Return the pointer to an instance of a slot."""
        name = self.names.slots[slot.name]
        return f"&{name}[{expression(slot.index)}]" if self.slots[slot.name] > 1 else f"&{name}"

    def in_l1(self, address: Address) -> str:
        """Return the pointer to a byte of L1.

        Arenas are read from the context each time: no address lives across a call, so frames stay small.
        """
        return f"&context->l1[{_offset(self.l1[address.buffer], address.offset_bytes)}]"

    def in_l2(self, address: Address) -> str:
        """Return the pointer to a byte of L2, of the arena or of the caller."""
        if address.buffer in self.names.externals:
            return f"&context->{self.names.externals[address.buffer]}[{expression(address.offset_bytes)}]"
        return f"&context->l2[{_offset(self.names.l2[address.buffer], address.offset_bytes)}]"

    def called(self, call: Call, indent: int, statement: str) -> list[str]:
        """Return a statement with the arguments of a call: a line for each pointer, the numbers as they fit.

        The arguments are variables of a block of their own, so that all calls share the bytes of the stack.
        """
        pad, inner = " " * indent, " " * (indent + INDENT)
        lines = [f"{pad}{{", f"{inner}const {KERNELS[call.kernel].struct} args = {{"]
        rules = {rule.field: rule for rule in KERNELS[call.kernel].operands}
        for operand in call.operands:
            if rules[operand.field].in_place is not None:
                continue
            field = f".{operand.field} = (void *){self.in_l1(operand.address)},"
            lines += wrapped(field, indent + 2 * INDENT)
        numbers = [f".{argument.field} = {expression(argument.value)}," for argument in call.arguments]
        lines += filled(numbers, indent + 2 * INDENT)
        return [*lines, f"{inner}}};", f"{inner}{statement}", f"{pad}}}"]

    def traces(self, call: Call, indent: int) -> list[str]:
        """Return the tracing of what a call computes of a value of the graph."""
        kernel = KERNELS[call.kernel]
        numbers = {argument.field: argument.value for argument in call.arguments}
        lines: list[str] = []
        rules = {rule.field: rule for rule in kernel.operands}
        for operand in call.operands:
            rule = rules[operand.field]
            value = self.views.get(operand.part.value, operand.part.value)
            if rule.access == "read" or value not in self.names.values:
                continue
            sizes = (written(size, numbers) for size in (rule.rows, rule.row_bytes, rule.pitch_bytes))
            arguments = ", ".join(
                (
                    self.names.values[value],
                    self.in_l1(operand.address),
                    *map(expression, sizes),
                    expression(operand.part.row),
                    expression(operand.part.column_bytes),
                )
            )
            lines += wrapped(f"tmc_trace({arguments});", indent)
        return lines


def _condition(condition: Compare) -> str:
    left, right = expression(condition.left), expression(condition.right)
    if condition.operator == "<" and isinstance(condition.left, Const):
        return f"{right} > {left}"
    return f"{left} {condition.operator} {right}"


def moves_only(statement: Stmt) -> bool:
    """Tell whether a statement is for core 0 alone: starts, waits for transfers, what holds nothing else."""
    if isinstance(statement, Loop | If):
        return all(moves_only(inner) for inner in statement.body)
    return isinstance(statement, _TRANSFERS)


def has_transfers(body: tuple[Stmt, ...]) -> bool:
    """Tell whether a body has anything for core 0 alone: starts of transfers and jobs, and waits for them."""
    return any(
        has_transfers(each.body) if isinstance(each, Loop | If) else isinstance(each, _TRANSFERS | JobEnd)
        for each in body
    )


def takes_smaller(part: object) -> bool:
    """Tell whether a body, a statement or an expression in one takes the smaller of two numbers."""
    if isinstance(part, Binary) and part.operator == "min":
        return True
    if isinstance(part, tuple):
        return any(map(takes_smaller, part))
    return is_dataclass(part) and any(takes_smaller(getattr(part, each.name)) for each in fields(part))


def _joined(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """Join neighbours under one and the same condition; conditions only speak of loop variables."""
    result: list[Stmt] = []
    for statement in body:
        last = result[-1] if result else None
        if isinstance(statement, If) and isinstance(last, If) and last.condition == statement.condition:
            result[-1] = If(last.condition, (*last.body, *statement.body))
        else:
            result.append(statement)
    return tuple(result)


def _runs(body: tuple[Stmt, ...]) -> Iterator[tuple[bool, tuple[Stmt, ...]]]:
    """Yield runs of neighbours that are all, or all not, for core 0 alone."""
    start = 0
    for end in range(1, len(body) + 1):
        if end == len(body) or moves_only(body[end]) != moves_only(body[start]):
            yield moves_only(body[start]), body[start:end]
            start = end


def _offset(name: str, offset: Expr) -> str:
    return name if offset == Const(0) else f"{name} + {_side(offset, '+', True)}"
