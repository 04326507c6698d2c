"""What a kernel is to the compiler: a record for each op and engine, with the C functions that compute it.

Schedule, packing, costs, emission and proof all read these records: nothing else knows a C name, and nothing
takes one apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from tmc.backend_gap9.program.expressions import compiled
from tmc.backend_gap9.program.program import Const, Expr
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array

Engine = Literal["cores"]
# For what a kernel is written. A build is of portable C, or for the cluster: its cores and accelerator.
Isa = Literal["scalar", "xpulp", "ne16"]
ISAS: tuple[Isa, ...] = ("scalar", "xpulp")
Arguments = Mapping[str, int]
Size = Expr | Callable[[Arguments], int]
WORD = Const(4)

# How a stage loops over an op: tiles of rows and of channels; whole rows of a row tile; behind each channel
# tile of the linear before it; tiles of columns with all their rows; tiles of queries, keys and values; tiles
# of runs of rows, from operands to consecutive rows of the result.
Form = Literal["channels", "rows", "follower", "columns", "attention", "moves"]


@dataclass(frozen=True, slots=True)
class Extent:
    """rows x row_bytes, pitch_bytes apart."""

    rows: int
    row_bytes: int
    pitch_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class OperandRule:
    """One pointer argument: how it is accessed, and its extent as expressions in the number arguments.

    An extent may be a function where it is more than sums and products, in what is only read. It has to start
    at a multiple of start_unit bytes, and its pitch to be one of pitch_unit: numbers, or expressions in the
    arguments. channel_bytes: of a table with an entry for each output channel,
    where a call for some channels starts at their first one. in_place: the operand at whose rows the kernel
    leaves the rows of this one, spoiling the rest of them; it is no argument in C.
    """

    field: str
    access: Literal["read", "write", "update"]
    rows: Size
    row_bytes: Size
    pitch_bytes: Size
    pitch_unit: Expr = WORD
    start_unit: Expr = WORD
    channel_bytes: int = 0
    in_place: str | None = None

    def extent(self, arguments: Arguments) -> Extent:
        """Return the extent for number arguments."""
        rows, row_bytes, pitch_bytes = _functions(self)
        return Extent(rows(arguments), row_bytes(arguments), pitch_bytes(arguments))

    def units(self, arguments: Arguments) -> tuple[int, int]:
        """Return what the start of the extent and its pitch are multiples of, for number arguments."""
        return compiled(self.start_unit)(arguments), compiled(self.pitch_unit)(arguments)


@cache
def _functions(rule: OperandRule) -> tuple[Callable[[Arguments], int], ...]:
    sizes = (rule.rows, rule.row_bytes, rule.pitch_bytes)
    return tuple(compiled(size) if isinstance(size, Expr) else size for size in sizes)


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """One C function: the stem of its name (an ISA suffix follows), its args struct, operands and numbers.

    quantisation: the numbers that come from a layer's quantisation, not from its shape or its tiles.
    stack_bytes: what a call needs of a core's stack with all that it calls, the larger of -O2 and -O3, for
    each isa that it is written for.
    core_cycles: modelled cycles of the core with the largest share of a call with such numbers; all work.
    Of a job, those of the accelerator.
    long_code_cycles: what its code takes to come from L2, beyond what that of any kernel takes.
    is_short: it is a short loop, whose code takes little.
    """

    stem: str
    struct: str
    operands: tuple[OperandRule, ...]
    arguments: tuple[str, ...]
    quantisation: frozenset[str]
    stack_bytes: Mapping[Isa, int]
    core_cycles: Callable[[Target, Arguments], float]
    long_code_cycles: Callable[[Target], float] = field(default=lambda target: 0)
    is_short: bool = False

    @property
    def isas(self) -> tuple[Isa, ...]:
        """Return what it is written for."""
        return tuple(self.stack_bytes)

    @property
    def is_job(self) -> bool:
        """Tell whether the accelerator runs it: as a job, not as a call of all cores."""
        return "ne16" in self.stack_bytes

    @property
    def args_bytes(self) -> int:
        """Return the size of its args struct on the cores, at most: pointers and numbers have a word each."""
        return 4 * (len(self.operands) + len(self.arguments))

    def operand(self, field: str) -> OperandRule:
        """Return the rule of a pointer argument."""
        return next(rule for rule in self.operands if rule.field == field)


@dataclass(frozen=True, slots=True)
class ColumnNeeds:
    """What an op needs of a column at once: x_rows rows of its input give y_rows rows of its output.

    A transposed output has a row for each column of the input; its y_rows are elements of such a row.
    z_rows: of a second input, of which so many rows are for calls_per_z calls each; they have all columns.
    """

    x_rows: int
    y_rows: int
    transposed: bool = False
    z_rows: int = 0
    calls_per_z: int = 1


def all_rows(graph: Graph, op: Op) -> ColumnNeeds:
    """Return that an op needs all rows of a column at once."""
    return ColumnNeeds(graph.types[op.inputs[0]].shape[0], graph.types[op.output].shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Rows or columns of an operand, by number, on their way to consecutive ones of the result.

    target: the first of them in the result. indices: that of the operand for each. kernel: what moves them.
    """

    operand: int
    target: int
    indices: Sequence[int]
    kernel: Kernel


@dataclass(frozen=True, slots=True)
class KernelRecord:
    """How an engine computes an op.

    form: how a stage loops over it, or a function of the op where not all are alike.
    kernels: all C functions; chosen: those that compute a given op, in order (PlanError if none does).
    row_inputs: the fields of the computed values that an op takes by rows, in the order of its operands.
    numbers: the arguments that follow from the op; those of its tiles come from the schedule. costs: the
    table of constants in a target's file, and its record.
    tables: small constants by the field of their argument, in target byte order; line_tables: the constants
    with a line for each row, which travel with them; weight_rows: packed rows, one for each output channel.
    runs: what moves from where to where, of an op that only moves.
    macs: multiply-accumulates of matrix products and convolutions.
    """

    op: OpKind
    engine: Engine
    form: Form | Callable[[Op], Form]
    kernels: tuple[Kernel, ...]
    chosen: Callable[[Graph, Op], tuple[Kernel, ...]]
    numbers: Callable[[Graph, Op], Mapping[str, int]]
    costs: tuple[str, type[Any]]
    tables: Callable[[Graph, Op], Mapping[str, Array]] = field(default=lambda graph, op: {})
    line_tables: Callable[[Graph, Op], tuple[str, ...]] = field(default=lambda graph, op: ())
    weight_rows: Callable[[Graph, Op], Array] | None = None
    row_inputs: tuple[str, ...] = ("x",)
    columns: Callable[[Graph, Op], ColumnNeeds] = all_rows
    runs: Callable[[Graph, Op], tuple[Run, ...]] = field(default=lambda graph, op: ())
    macs: Callable[[Graph, Op], int] = field(default=lambda graph, op: 0)
