"""network.c: the stages of a program as functions, and the descriptor that the platforms run."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmc.backend_gap9.emit_interface import made_by
from tmc.backend_gap9.emit_names import (
    INDENT,
    Names,
    c_string,
    comment_lines,
    filled,
    l1_names,
    traced_ops,
)
from tmc.backend_gap9.emit_statements import StagePrinter
from tmc.backend_gap9.layout import value_shape
from tmc.backend_gap9.program import Buffer, Program, Stage
from tmc.backend_gap9.report import Report
from tmc.ir.graph import Graph

# What a stage function may need, in the order of its declarations: a name, and the declaration.
LOCALS = (
    ("core", "const uint32_t core = tmc_core_id();"),
    ("l1", "uint8_t *const l1 = context->l1;"),
    ("l2", "uint8_t *const l2 = context->l2;"),
    ("input", "const uint8_t *const input = context->input;"),
    ("output", "uint8_t *const output = context->output;"),
)
_USES = {"core": "core == 0u", "l1": "&l1[", "l2": "&l2[", "input": "&input[", "output": "&output["}


@dataclass(frozen=True, slots=True)
class Offset:
    """One line of an enumeration of offsets."""

    name: str
    offset_bytes: int
    note: str


@dataclass(frozen=True, slots=True)
class StageText:
    """One stage function."""

    name: str
    comment: tuple[str, ...]
    offsets: tuple[Offset, ...]
    declarations: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TracedValue:
    """One traced value: the name of its number, its own name as a C string, its size."""

    identifier: str
    text: str
    rows: int
    row_bytes: int


@dataclass(frozen=True, slots=True)
class NetworkText:
    """What the template of network.c prints; l3, slots, value_numbers are lines, init is at most one."""

    name: str
    title: tuple[str, ...]
    l2: tuple[Offset, ...]
    l3: tuple[str, ...]
    slots: tuple[str, ...]
    value_numbers: tuple[str, ...]
    values: tuple[TracedValue, ...]
    takes_smaller: bool
    init: tuple[StageText, ...]
    stages: tuple[StageText, ...]
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int
    l3_checksum: str


def network_text(graph: Graph, program: Program, report: Report, names: Names, image: bytes) -> NetworkText:
    """Return what network.c says. `image` is the content of weights.bin."""
    stages = tuple(
        _stage_text(stage, stage.name, program, names, _stage_facts(report, number))
        for number, stage in enumerate(program.stages)
    )
    init = _stage_text(program.init, "resident", program, names, ("Runs once, before the first inference.",))
    return NetworkText(
        name=names.network,
        title=tuple(line for fact in _network_facts(report) for line in comment_lines(fact)),
        l2=_offsets(names.l2, (b for b in program.buffers if b.memory == "l2" and not b.external)),
        l3=filled(
            f"{names.l3[b.name]} = {b.offset_bytes}," for b in program.buffers if b.memory == "l3"
        ),
        slots=filled(_enumerated(_slot(names, *slot) for slot in program.slots.items())),
        value_numbers=filled(f"{names.values[op.output]}," for op in traced_ops(graph)),
        values=tuple(
            TracedValue(names.values[op.output], c_string(op.output), shape.rows, shape.row_bytes)
            for op in traced_ops(graph)
            for shape in (value_shape(graph.types[op.output]),)
        ),
        takes_smaller=any("smaller(" in line for stage in stages for line in stage.lines),
        init=(init,) if program.init.body else (),
        stages=stages,
        l1_bytes=program.l1_bytes,
        l2_bytes=program.l2_bytes,
        l3_bytes=len(image),
        l3_checksum=f"0x{zlib.crc32(image):08X}u",
    )


def _slot(names: Names, slot: str, instances: int) -> str:
    return names.slots[slot] + (f"[{instances}]" if instances > 1 else "")


def _enumerated(variables: Iterable[str]) -> tuple[str, ...]:
    """Return variables with commas between them and a semicolon at the end."""
    *others, last = variables
    return (*(f"{other}," for other in others), f"{last};")


def _offsets(identifiers: Mapping[str, str], buffers: Iterable[Buffer]) -> tuple[Offset, ...]:
    return tuple(
        Offset(identifiers[buffer.name], buffer.offset_bytes, f"{buffer.size_bytes:,} bytes")
        for buffer in buffers
    )


def _network_facts(report: Report) -> tuple[str, ...]:
    """Return the paragraphs at the top of network.c."""
    return (
        made_by(report),
        f"{len(report.stages)} stages, {report.macs:,} multiply-accumulates, {report.cycles_estimate:,} "
        f"modelled cycles. L1 {report.l1.peak_bytes:,} of {report.l1.budget_bytes:,} bytes, "
        f"L2 {report.l2.peak_bytes:,} of {report.l2.budget_bytes:,}, L3 {report.l3.peak_bytes:,}.",
    )


def _stage_facts(report: Report, number: int) -> tuple[str, ...]:
    """Return what a stage's comment says besides its title."""
    row = report.stages[number]
    return (
        f"Stage {number} of {len(report.stages)}.",
        f"Tiles: {row.tiles}. L1: {row.l1_peak_bytes:,} bytes.",
        f"Modelled: {row.cycles:,} cycles = {row.compute_cycles:,} of kernels + {row.exposed_cycles:,} of "
        f"waiting for L2; at least {row.bound_cycles:,} with any tiles. {row.macs:,} multiply-accumulates.",
    )


def _stage_text(
    stage: Stage, name: str, program: Program, names: Names, facts: tuple[str, ...]
) -> StageText:
    l1 = l1_names(buffer.name for buffer in stage.buffers)
    printer = StagePrinter(names, l1, program.slots, program.views)
    lines = printer.lines(stage.body, INDENT)
    declarations = [text for name, text in LOCALS if any(_USES[name] in line for line in lines)]
    paragraphs = (*facts[:1], *stage.title, *facts[1:])
    return StageText(
        f"{names.network}_{name}",
        tuple(line for paragraph in paragraphs for line in comment_lines(paragraph)),
        _offsets(l1, stage.buffers),
        (*(_table(name, entries) for name, entries in stage.tables.items()), *declarations),
        tuple(lines),
    )


def _table(name: str, entries: tuple[int, ...]) -> str:
    """Return the declaration of a table of numbers that a stage looks up."""
    kind, suffix = ("uint32_t", "u") if min(entries) >= 0 else ("int32_t", "")
    listed = ", ".join(f"{entry}{suffix}" for entry in entries)
    return f"static const {kind} {name}[{len(entries)}] = {{{listed}}};"
