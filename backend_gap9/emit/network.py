"""network.c: the stages of a program as functions, and the descriptor that the platforms run."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from tmc.backend_gap9.emit.captions import Captions
from tmc.backend_gap9.emit.names import Names, c_string, comment_lines, filled, traced_ops
from tmc.backend_gap9.emit.stages import Offset, StageText, init_text, offsets_of, stage_texts
from tmc.backend_gap9.emit.statements import takes_smaller
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.program.buffers import value_shape
from tmc.backend_gap9.program.program import Program, calls, job_slots
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
    """What the template of network.c prints; l3, slots, jobs, value_numbers are lines, init is at most one.

    slots: of transfers, jobs: of jobs of the accelerator.
    """

    name: str
    title: tuple[str, ...]
    l2: tuple[Offset, ...]
    l3: tuple[str, ...]
    slots: tuple[str, ...]
    jobs: tuple[str, ...]
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
        slots=_slots(names, program, jobs=False),
        jobs=_slots(names, program, jobs=True),
        value_numbers=filled(f"{names.values[op.output]}," for op in traced_ops(graph)),
        values=tuple(
            TracedValue(names.values[op.output], c_string(op.output), shape.rows, shape.row_bytes)
            for op in traced_ops(graph)
            for shape in (value_shape(graph.types[op.output]),)
        ),
        takes_smaller=any(takes_smaller(stage.body) for stage in program.stages),
        on_ne16=any(KERNELS[call.kernel].is_job for stage in program.stages for call in calls(stage.body)),
        init=init_text(program, names),
        stages=stages,
        entry=tuple(f"{names.network}_{stage.name}" for stage in program.stages),
        l1_bytes=program.l1_bytes,
        l2_bytes=program.l2_bytes,
        l3_bytes=len(image),
        l3_checksum=f"0x{zlib.crc32(image):08X}u",
    )


def _slots(names: Names, program: Program, *, jobs: bool) -> tuple[str, ...]:
    """Return the lines that name the slots of jobs, or those of transfers; none if there are none."""
    started = {slot for stage in program.stages for slot in job_slots(stage.body)}
    found = [
        names.slots[slot] + (f"[{instances}]" if instances > 1 else "")
        for slot, instances in program.slots.items()
        if (slot in started) == jobs
    ]
    return filled((*(f"{each}," for each in found[:-1]), *(f"{each};" for each in found[-1:])))
