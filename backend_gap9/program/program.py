"""The program: stages of loops over transfers, waits, kernel calls and barriers. Emission only prints it.

Execution model (SPMD). All cores run every stage from top to bottom. Core 0 alone issues and awaits
transfers; `Call` is run by all cores, each on its own share; `Barrier` is where all of them meet. Between two
barriers there is no order between cores, so:

* a transfer is in flight from its start to its wait; no call may touch its bytes between the barriers
  around these two points;
* two calls between the same two barriers may share no byte that one of them writes;
* a job, a call that the accelerator computes, is in flight like a transfer, from its start to its wait. Jobs
  run one after the other in the order of their starts, and are awaited in that order: a job may write what an
  earlier one reads.

Numbers that change with the loops are expressions over loop variables. Every operand of a call and both ends
of a transfer say which part of which value they hold; `check_program` proves these claims byte by byte.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tmc.backend_gap9.program.buffers import Buffer, ValueShape

# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Const:
    """A number known at compile time."""

    value: int


@dataclass(frozen=True, slots=True)
class Var:
    """A loop variable, or a name bound by Let."""

    name: str


@dataclass(frozen=True, slots=True)
class Binary:
    """left operator right; "min" is the smaller one, "/" rounds down, operands are never negative."""

    operator: Literal["+", "-", "*", "/", "%", "min"]
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Lookup:
    """Entry `index` of the stage's table `table`."""

    table: str
    index: Expr


Expr = Const | Var | Binary | Lookup


@dataclass(frozen=True, slots=True)
class Compare:
    """A condition: left < right, or left == right."""

    operator: Literal["<", "=="]
    left: Expr
    right: Expr


# ---------------------------------------------------------------- places


@dataclass(frozen=True, slots=True)
class Address:
    """A byte position inside a buffer."""

    buffer: str
    offset_bytes: Expr


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a value lies at an address: rows from `row`, bytes of each row from `column_bytes`.

    A value is seen as rows of bytes without padding: all axes but the last are rows. Constants are packed
    blocks with their own rows (`Program.values`).
    """

    value: str
    row: Expr
    column_bytes: Expr


@dataclass(frozen=True, slots=True)
class Slot:
    """One transfer channel: `index` picks an instance (0 or 1 for double buffers)."""

    name: str
    index: Expr


# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Loop:
    """Run body for var = 0 .. count - 1."""

    var: str
    count: int
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Let:
    """Name a number for the rest of the body."""

    var: str
    value: Expr


@dataclass(frozen=True, slots=True)
class If:
    """Run body where the condition holds."""

    condition: Compare
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Dma:
    """Start a transfer between L2 and L1: lines of line_bytes, l2_pitch_bytes apart in L2, packed in L1."""

    slot: Slot
    direction: Literal["in", "out"]
    l1: Address
    l2: Address
    lines: Expr
    line_bytes: Expr
    l2_pitch_bytes: Expr


@dataclass(frozen=True, slots=True)
class Fetch:
    """Start a transfer from L3 to L2."""

    slot: Slot
    l2: Address
    l3: Address
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for the transfer in this slot (Dma or Fetch)."""

    slot: Slot
    memory: Literal["l2", "l3"]


@dataclass(frozen=True, slots=True)
class Operand:
    """A pointer argument of a kernel: its field, where it points, and what must lie (or will lie) there."""

    field: str
    address: Address
    part: Part


@dataclass(frozen=True, slots=True)
class Argument:
    """A number argument of a kernel."""

    field: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """Run a kernel on all cores for (a tile of) one op of the graph, named by its output value."""

    kernel: str
    op: str
    operands: tuple[Operand, ...]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """Start the call of a kernel that the accelerator runs; core 0 goes on."""

    slot: Slot
    call: Call


@dataclass(frozen=True, slots=True)
class JobEnd:
    """Wait for the job in this slot: the call that it was, in the numbers of here."""

    slot: Slot
    call: Call


@dataclass(frozen=True, slots=True)
class Barrier:
    """All cores meet."""


Stmt = Loop | Let | If | Dma | Fetch | Wait | Call | Job | JobEnd | Barrier


# ---------------------------------------------------------------- program


@dataclass(frozen=True, slots=True)
class Stage:
    """One function of the generated network. `title` is its comment: ONNX nodes, shapes, tiles."""

    name: str
    title: tuple[str, ...]
    buffers: tuple[Buffer, ...]  # L1 only
    tables: Mapping[str, tuple[int, ...]]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """Stages in order; L2 and L3 buffers; slots with their number of instances; every value's shape in bytes.

    `init` runs once, before any inference: it loads the weights that stay in L2. `views` maps a value to the
    value whose bytes it shares. L3 buffers carry the name of the constant block that they hold.
    """

    name: str
    init: Stage
    stages: tuple[Stage, ...]
    buffers: tuple[Buffer, ...]  # L2 and L3
    slots: Mapping[str, int]
    values: Mapping[str, ValueShape]
    views: Mapping[str, str]
    inputs: Mapping[str, str]  # graph input -> external buffer
    outputs: Mapping[str, str]  # graph output -> external buffer
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int


ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "%": operator.mod,
    "min": min,
}


def job_slots(body: tuple[Stmt, ...]) -> frozenset[str]:
    """Return the names of the slots of the jobs of a body."""
    slots: frozenset[str] = frozenset()
    for statement in body:
        if isinstance(statement, Loop | If):
            slots |= job_slots(statement.body)
        elif isinstance(statement, Job):
            slots |= {statement.slot.name}
    return slots


def calls(body: tuple[Stmt, ...]) -> Iterator[Call]:
    """Yield the kernel calls of a body in order, those of jobs among them."""
    for statement in body:
        if isinstance(statement, Loop | If):
            yield from calls(statement.body)
        elif isinstance(statement, Call):
            yield statement
        elif isinstance(statement, Job):
            yield statement.call
