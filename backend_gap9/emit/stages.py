"""The stages of a program as C functions, and what alike ones share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tmc.backend_gap9.emit.captions import Captions
from tmc.backend_gap9.emit.names import INDENT, Names, comment_lines, filled, l1_names
from tmc.backend_gap9.emit.shared import OWN, Constant, SharedStage, shared_stages, split_stage
from tmc.backend_gap9.emit.statements import StagePrinter, has_transfers
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.program.program import Program, Stage, Stmt

# Parts of a record of constants, in order.
RECORD_NOTES = (
    ("l2", "Offsets in L2."),
    ("number", "Numbers of the quantisation."),
    ("table", "Tables."),
    ("value", "Numbers of traced values."),
)


@dataclass(frozen=True, slots=True)
class Offset:
    """One line of an enumeration of offsets."""

    name: str
    offset_bytes: int
    note: str


@dataclass(frozen=True, slots=True)
class StageText:
    """One stage function: its parameters after the context, and its body."""

    name: str
    comment: tuple[str, ...]
    parameters: str
    offsets: tuple[Offset, ...]
    declarations: tuple[str, ...]
    lines: tuple[str, ...]
    record: tuple[str, ...]  # lines of the record of constants that the function takes, if any
    record_name: str


def init_text(program: Program, names: Names) -> tuple[StageText, ...]:
    """Return the function that loads what stays in L2, if there is anything."""
    if not program.init.body:
        return ()
    comment = ("Runs once, before the first inference.", *program.init.title)
    return (_plain_text(program.init, "resident", program, names, comment),)


def stage_texts(program: Program, captions: Captions, names: Names) -> tuple[StageText, ...]:
    """Return the functions of all stages, each common function before the first stage that calls it."""
    shared = {number: each for each in shared_stages(program, names) for number in each.members}
    texts: list[StageText] = []
    for number, stage in enumerate(program.stages):
        facts = captions.stages[number]
        comment = (facts[0], *stage.title, *facts[1:])
        if number not in shared:
            texts.append(_plain_text(stage, stage.name, program, names, comment))
            continue
        common = shared[number]
        if number == common.members[0]:
            texts.append(_common_text(common, program))
        texts.append(_member_text(stage, number, common, program, names, comment))
    return tuple(texts)


def _plain_text(
    stage: Stage, name: str, program: Program, names: Names, comment: tuple[str, ...]
) -> StageText:
    l1 = l1_names(buffer.name for buffer in stage.buffers)
    lines = StagePrinter(names, l1, program.slots, program.views).lines(stage.body, INDENT)
    tables = tuple(_table(name, entries) for name, entries in stage.tables.items())
    declarations = (*tables, *_declarations(stage.body))
    return _text(f"{names.network}_{name}", comment, lines, offsets_of(l1, stage.buffers), declarations)


def _common_text(shared: SharedStage, program: Program) -> StageText:
    """Return the function that alike stages call, with the record of what is their own."""
    lines = StagePrinter(shared.names, shared.l1, program.slots, program.views).lines(shared.body, INDENT)
    name = _common_name(shared)
    listed = ", ".join(str(number) for number in shared.members)
    comment = (f"What stages {listed} do, each with constants of its own. See stage {shared.members[0]}.",)
    text = _text(name, comment, lines, offsets_of(shared.l1, shared.buffers), _declarations(shared.body))
    record = tuple(
        line
        for kind, note in RECORD_NOTES
        for line in _fields(note, [each for each in shared.constants if each.kind == kind])
    )
    return replace(text, parameters=f", const {name}_own *{OWN}", record=record, record_name=f"{name}_own")


def _member_text(
    stage: Stage, number: int, shared: SharedStage, program: Program, names: Names, comment: tuple[str, ...]
) -> StageText:
    """Return the function of one of several alike stages: what it fetches, and what is its own."""
    printer = StagePrinter(names, {}, program.slots, program.views)
    fetches = split_stage(stage)[0]
    lines = printer.lines(fetches, INDENT)
    declarations = _declarations(fetches)
    name = _common_name(shared)
    member = shared.members.index(number)
    entries = filled((_initialiser(each, member) for each in shared.constants), INDENT + INDENT)
    own = (f"static const {name}_own {OWN} = {{", *(line[INDENT:] for line in entries), "};")
    lines += [f"{'':{INDENT}}{name}(context, &{OWN});"]
    return _text(f"{names.network}_{stage.name}", comment, lines, (), (*own, *declarations))


def _text(
    name: str,
    comment: tuple[str, ...],
    lines: list[str],
    offsets: tuple[Offset, ...],
    declarations: tuple[str, ...],
) -> StageText:
    paragraphs = tuple(line for paragraph in comment for line in comment_lines(paragraph))
    return StageText(name, paragraphs, "", offsets, declarations, tuple(lines), (), "")


def _common_name(shared: SharedStage) -> str:
    return f"{shared.names.network}_like_stage_{shared.members[0]}"


def _declarations(body: tuple[Stmt, ...]) -> tuple[str, ...]:
    """Return the declarations of local names that the C of a body uses: what moves is for core 0."""
    return ("const uint32_t core = tmc_core_id();",) if has_transfers(body) else ()


def _fields(note: str, constants: Sequence[Constant]) -> tuple[str, ...]:
    """Return the declarations of the fields of one kind, under a comment."""
    if not constants:
        return ()
    return (f"{'':{INDENT}}/* {note} */", *filled(map(_field, constants)))


def _field(constant: Constant) -> str:
    signed = any(entry.startswith("-") for entries in constant.entries for entry in entries)
    length = f"[{len(constant.entries[0])}]" if constant.kind == "table" else ""
    return f"{'int32_t' if signed else 'uint32_t'} {constant.name}{length};"


def _initialiser(constant: Constant, member: int) -> str:
    entries = ", ".join(constant.entries[member])
    value = f"{{{entries}}}" if constant.kind == "table" else entries
    return f".{constant.name} = {value},"


def _table(name: str, entries: tuple[int, ...]) -> str:
    """Return the declaration of a table of numbers that a stage looks up."""
    kind, suffix = ("uint32_t", "u") if min(entries) >= 0 else ("int32_t", "")
    listed = ", ".join(f"{entry}{suffix}" for entry in entries)
    return f"static const {kind} {name}[{len(entries)}] = {{{listed}}};"


def offsets_of(identifiers: Mapping[str, str], buffers: Iterable[Buffer]) -> tuple[Offset, ...]:
    """Return the lines of an enumeration of buffers."""
    return tuple(
        Offset(identifiers[buffer.name], buffer.offset_bytes, f"{buffer.size_bytes:,} bytes")
        for buffer in buffers
    )
