"""What the schedules of all stages share: where values lie in L2, and the statements around a stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.expressions import Number, add, expr, mod, mul
from tmc.backend_gap9.program.program import (
    Address,
    Barrier,
    Compare,
    Const,
    Dma,
    Expr,
    Fetch,
    If,
    Let,
    Operand,
    Part,
    Slot,
    Stmt,
    Var,
    Wait,
)
from tmc.backend_gap9.stages.staged import GraphStage, Rows, Staged
from tmc.ir.graph import Graph

BARRIER = Barrier()


@dataclass(frozen=True, slots=True)
class Context:
    """One network on its way to a program."""

    plan: Plan
    external: Mapping[str, str]  # root value -> external buffer

    @property
    def staged(self) -> Staged:
        """The staged graph of the plan."""
        return self.plan.staged

    @property
    def graph(self) -> Graph:
        """The graph of the plan."""
        return self.plan.staged.graph

    @property
    def layouts(self) -> Mapping[str, Rows]:
        """How every computed or given value lies in L2."""
        return self.plan.staged.layouts

    def l2_buffer(self, value: str) -> str:
        """Return the L2 buffer that holds a value."""
        root = self.plan.staged.roots[value]
        return self.external.get(root, root)


def part(value: str, row: Number = 0, column_bytes: Number = 0) -> Part:
    """Return a part of a value."""
    return Part(value, expr(row), expr(column_bytes))


def at(buffer: str, offset_bytes: Number = 0) -> Address:
    """Return an address."""
    return Address(buffer, expr(offset_bytes))


def moved_by(address: Address, offset_bytes: Number) -> Address:
    """Return an address so many bytes on."""
    return Address(address.buffer, add(address.offset_bytes, offset_bytes))


def operand(field: str, address: Address, holds: Part) -> Operand:
    """Return an operand of a call."""
    return Operand(field, address, holds)


def when(condition: Compare, *body: Stmt) -> tuple[Stmt, ...]:
    """Return the body under a condition, or without it where the condition is known."""
    left, right = condition.left, condition.right
    if isinstance(left, Const) and isinstance(right, Const):
        holds = left.value < right.value if condition.operator == "<" else left.value == right.value
        return body if holds else ()
    return (If(condition, body),)


def named(name: str, value: Expr) -> tuple[tuple[Stmt, ...], Expr]:
    """Return the statement that names a number, and the name; nothing and the number itself if short."""
    if isinstance(value, Const | Var):
        return (), value
    return (Let(name, value),), Var(name)


def less(left: Number, right: Number) -> Compare:
    """Return left < right."""
    return Compare("<", expr(left), expr(right))


def equal(left: Number, right: Number) -> Compare:
    """Return left == right."""
    return Compare("==", expr(left), expr(right))


def wait(name: str, index: Number = 0) -> Wait:
    """Wait for a transfer between L2 and L1."""
    return Wait(Slot(name, expr(index)), "l2")


def wait_out(turn: Number, turns: int) -> tuple[Stmt, ...]:
    """Wait for the results of two turns ago, whose buffer a turn writes; nothing if there are 2 or fewer."""
    return when(less(1, turn), wait("out", mod(turn, 2))) if turns > 2 else ()


def load(slot: Slot, l1: Address, l2: Address, size_bytes: Expr) -> Dma:
    """Start loading one run of bytes into L1."""
    return Dma(slot, "in", l1, l2, Const(1), size_bytes, size_bytes)


def rows_in_l2(context: Context, value: str, row: Number, column_bytes: Number = 0) -> Address:
    """Return where a row of a value begins in L2."""
    pitch = context.layouts[value].pitch_bytes
    return at(context.l2_buffer(value), add(mul(row, pitch), expr(column_bytes)))


def stage_prologue(context: Context, stage: GraphStage, *loads: Stmt) -> tuple[Stmt, ...]:
    """Return the fetches due at this stage, the waits for its blocks, and the load of its tables.

    loads: the starts of what the stage needs first: all of them travel while the tables are waited for.
    """
    statements: list[Stmt] = []
    packed = context.staged.packed[stage.number]
    sizes = {residency.block.name: residency for residency in context.plan.residency}
    for residency in context.plan.residency:
        if not residency.resident and residency.fetch_stage == stage.number:
            statements.append(fetch(residency.block.name, residency.block.size_bytes))
    for block in packed.blocks:
        if not sizes[block.name].resident:
            statements.append(Wait(fetch_slot(block.name), "l3"))
    if packed.tables_bytes:
        size = Const(packed.tables_bytes)
        statements.append(load(Slot("tables", Const(0)), at("tables"), at(packed.table_block), size))
    statements += loads
    if packed.tables_bytes:
        statements.append(wait("tables"))
    return tuple(statements)


def fetch(block: str, size_bytes: int) -> Fetch:
    """Start bringing a block from L3 to L2; its buffers there carry its name in both memories."""
    return Fetch(fetch_slot(block), at(block), at(block), size_bytes)


def fetch_slot(block: str) -> Slot:
    """Return the slot of a block's transfer from L3: each block has its own."""
    return Slot(f"fetch {block}", Const(0))
