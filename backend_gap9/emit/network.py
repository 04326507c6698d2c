"""network.c: the stages of a program as functions, and the descriptor that the platforms run."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from tmc.backend_gap9.emit.captions import Captions
from tmc.backend_gap9.emit.names import Names, c_string, comment_lines, filled, traced_ops
from tmc.backend_gap9.emit.stages import Offset, StageText, init_text, offsets_of, stage_texts
from tmc.backend_gap9.emit.statements import takes_smaller
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.program.buffers import value_shape
from tmc.backend_gap9.program.program import Program, calls
from tmc.ir.graph import Graph


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
    on_ne16: bool
    init: tuple[StageText, ...]
    stages: tuple[StageText, ...]
    entry: tuple[str, ...]
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int
    l3_checksum: str


def network_text(
    graph: Graph, program: Program, captions: Captions, names: Names, image: bytes
) -> NetworkText:
    """Return what network.c says. `image` is the content of weights.bin."""
    stages = stage_texts(program, captions, names)
    return NetworkText(
        name=names.network,
        title=tuple(line for fact in captions.network for line in comment_lines(fact)),
        l2=offsets_of(names.l2, (b for b in program.buffers if b.memory == "l2" and not b.external)),
        l3=filled(f"{names.l3[b.name]} = {b.offset_bytes}," for b in program.buffers if b.memory == "l3"),
        slots=filled(_enumerated(_slot(names, *slot) for slot in program.slots.items())),
        value_numbers=filled(f"{names.values[op.output]}," for op in traced_ops(graph)),
        values=tuple(
            TracedValue(names.values[op.output], c_string(op.output), shape.rows, shape.row_bytes)
            for op in traced_ops(graph)
            for shape in (value_shape(graph.types[op.output]),)
        ),
        takes_smaller=any(takes_smaller(stage.body) for stage in program.stages),
        on_ne16=any(
            "ne16" in KERNELS[call.kernel].isas for stage in program.stages for call in calls(stage.body)
        ),
        init=init_text(program, names),
        stages=stages,
        entry=tuple(f"{names.network}_{stage.name}" for stage in program.stages),
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
