"""Stages of equal structure share one C function, and differ in a record of constants each.

Two stages are alike if their statements are the same but for names of buffers and values, for numbers that
come from a layer's quantisation, and for the transfers from L3 at the beginning. These stay in the stage's
own function. The eight layers of TinyMyo are alike: sharing makes their code an eighth.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tmc.backend_gap9.emit.names import Names, identifiers
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.program.expressions import with_tables
from tmc.backend_gap9.program.program import (
    Address,
    Argument,
    Call,
    Const,
    Dma,
    Fetch,
    If,
    Job,
    JobEnd,
    Loop,
    Operand,
    Part,
    Program,
    Stage,
    Stmt,
    Var,
    Wait,
)

# The record of constants, as the common function names it.
OWN = "own"

Kind = Literal["l2", "number", "table", "value"]


@dataclass(frozen=True, slots=True)
class Constant:
    """One field of the record; entries[i] are the numbers of member i, several for a table."""

    name: str
    kind: Kind
    entries: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class SharedStage:
    """What several stages have in common, to be printed with `names` and `l1`."""

    members: tuple[int, ...]
    body: tuple[Stmt, ...]
    l1: Mapping[str, str]
    buffers: tuple[Buffer, ...]
    names: Names
    constants: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class _Hole:
    """Something in which alike stages may differ: what it is called, and its C text."""

    kind: Kind
    label: str
    texts: tuple[str, ...]


def split_stage(stage: Stage) -> tuple[tuple[Stmt, ...], tuple[Stmt, ...]]:
    """Return the transfers from L3 that a stage begins with, and the rest of its body."""
    count = 0
    while count < len(stage.body) and _is_l3(stage.body[count]):
        count += 1
    return stage.body[:count], stage.body[count:]


def _is_l3(statement: Stmt) -> bool:
    return isinstance(statement, Fetch) or (isinstance(statement, Wait) and statement.memory == "l3")


def shared_stages(program: Program, names: Names) -> tuple[SharedStage, ...]:
    """Return what two or more stages have in common, in the order of the first of each group."""
    groups: dict[object, list[tuple[int, _Pattern]]] = {}
    for number, stage in enumerate(program.stages):
        pattern = _Pattern(stage, names, program.views)
        body = pattern.body(split_stage(stage)[1])
        layout = tuple((buffer.offset_bytes, buffer.size_bytes) for buffer in stage.buffers)
        kinds = tuple((hole.kind, len(hole.texts)) for hole in pattern.holes)
        groups.setdefault((body, layout, kinds), []).append((number, pattern))
    return tuple(_shared(program, names, group) for group in groups.values() if len(group) > 1)


@dataclass(slots=True)
class _Pattern:
    """Rewrite a stage's statements with the holes $0, $1, ..., so that those of alike stages become equal."""

    stage: Stage
    names: Names
    views: Mapping[str, str]
    holes: list[_Hole] = field(default_factory=list)

    @property
    def written(self) -> frozenset[str]:
        """Return the L2 buffers that the stage stores to."""
        return _written(self.stage.body)

    def hole(self, hole: _Hole) -> str:
        """Return the name of a hole; the same thing twice is one hole, but each number is one of its own."""
        if hole.kind == "number" or hole not in self.holes:
            self.holes.append(hole)
            return f"${len(self.holes) - 1}"
        return f"${self.holes.index(hole)}"

    def body(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple(self.statement(each) for each in body)

    def statement(self, statement: Stmt) -> Stmt:
        statement = with_tables(statement, self.table)
        match statement:
            case Loop(var, count, body):
                return Loop(var, count, self.body(body))
            case If(condition, body):
                return If(condition, self.body(body))
            case Dma():
                return replace(statement, l1=self.in_l1(statement.l1), l2=self.in_l2(statement.l2))
            case Call():
                operands = tuple(self.operand(statement, each) for each in statement.operands)
                arguments = tuple(self.argument(statement, each) for each in statement.arguments)
                return replace(statement, op="", operands=operands, arguments=arguments)
            case Job(slot, call) | JobEnd(slot, call):
                rewritten = self.statement(call)
                assert isinstance(rewritten, Call)
                return type(statement)(slot, rewritten)
            case _:
                return statement

    def in_l1(self, address: Address) -> Address:
        names = [buffer.name for buffer in self.stage.buffers]
        return replace(address, buffer=f"${names.index(address.buffer)}")

    def in_l2(self, address: Address) -> Address:
        if address.buffer in self.names.externals:
            return address
        label = f"out.{address.buffer}" if address.buffer in self.written else address.buffer
        return replace(address, buffer=self.hole(_Hole("l2", label, (self.names.l2[address.buffer],))))

    def operand(self, call: Call, operand: Operand) -> Operand:
        rules = {rule.field: rule for rule in KERNELS[call.kernel].operands}
        value = self.views.get(operand.part.value, operand.part.value)
        shown = ""
        if rules[operand.field].access != "read" and value in self.names.values:
            shown = self.hole(_Hole("value", value, (self.names.values[value],)))
        part = Part(shown, operand.part.row, operand.part.column_bytes)
        return Operand(operand.field, self.in_l1(operand.address), part)

    def argument(self, call: Call, argument: Argument) -> Argument:
        match argument.value:
            case Const(value) if argument.field in KERNELS[call.kernel].quantisation:
                hole = _Hole("number", f"{call.op} {argument.field}", (str(value),))
                return replace(argument, value=Var(self.hole(hole)))
            case _:
                return argument

    def table(self, name: str) -> str:
        return self.hole(_Hole("table", name, tuple(str(entry) for entry in self.stage.tables[name])))


def _shared(program: Program, names: Names, group: Sequence[tuple[int, _Pattern]]) -> SharedStage:
    """Name the holes in which the stages of a group differ, and fill the others."""
    members = tuple(number for number, _ in group)
    stages = [program.stages[number] for number in members]
    across = list(zip(*(pattern.holes for _, pattern in group), strict=True))
    differ = [
        index
        for index, holes in enumerate(across)
        if holes[0].kind == "table" or len({hole.texts for hole in holes}) > 1
    ]
    fields = dict(zip(differ, identifiers(_label(across[index]) for index in differ), strict=True))
    fillings = {
        f"${index}": f"{OWN}->{fields[index]}" if index in fields else holes[0].texts[0]
        for index, holes in enumerate(across)
    }
    pattern = _Pattern(stages[0], names, program.views)
    labels = (common_name([b.name for b in each]) for each in zip(*(s.buffers for s in stages), strict=True))
    return SharedStage(
        members,
        _filled(pattern.body(split_stage(stages[0])[1]), fillings),
        {f"${index}": name.upper() for index, name in enumerate(identifiers(labels, "L1_"))},
        tuple(replace(buffer, name=f"${index}") for index, buffer in enumerate(stages[0].buffers)),
        replace(names, l2=fillings, values=fillings),
        tuple(
            Constant(name, across[index][0].kind, tuple(hole.texts for hole in across[index]))
            for index, name in fields.items()
        ),
    )


def _filled(body: tuple[Stmt, ...], fillings: Mapping[str, str]) -> tuple[Stmt, ...]:
    """Put numbers and tables back into a pattern; names are the printer's to look up."""

    def fill(argument: Argument) -> Argument:
        match argument.value:
            case Var(name) if name in fillings:
                text = fillings[name]
                is_own = text.startswith(OWN)
                return replace(argument, value=Var(text) if is_own else Const(int(text)))
            case _:
                return argument

    def visit(statement: Stmt) -> Stmt:
        statement = with_tables(statement, fillings.__getitem__)
        match statement:
            case Loop() | If():
                return replace(statement, body=_filled(statement.body, fillings))
            case Call():
                return replace(statement, arguments=tuple(map(fill, statement.arguments)))
            case Job(slot, call) | JobEnd(slot, call):
                filled = visit(call)
                assert isinstance(filled, Call)
                return type(statement)(slot, filled)
            case _:
                return statement

    return tuple(map(visit, body))


def _written(body: tuple[Stmt, ...]) -> frozenset[str]:
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, Loop | If):
            found |= _written(statement.body)
        elif isinstance(statement, Dma) and statement.direction == "out":
            found.add(statement.l2.buffer)
    return frozenset(found)


def _label(holes: Sequence[_Hole]) -> str:
    """Return what a field is called: values are numbers of values, not the values."""
    name = common_name([hole.label for hole in holes])
    return f"value_{name}" if holes[0].kind == "value" else name


def common_name(names: Sequence[str]) -> str:
    """Return what names of the same thing in several layers have in common: block0.q, block1.q -> block.q.

    Names of another number of words than most have no say.
    """
    words = [re.findall(r"[A-Za-z0-9]+", name) for name in names]
    lengths = Counter(map(len, reversed(words)))
    length = max(lengths, key=lambda length: lengths[length])
    common = []
    for across in zip(*(each for each in words if len(each) == length), strict=True):
        if len(set(across)) > 1:
            across = tuple(word.rstrip("0123456789") for word in across)
        common.append(Counter(reversed(across)).most_common(1)[0][0])
    return ".".join(word for word in common if word)
