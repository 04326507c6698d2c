"""Prove a program before it is printed: every byte of every access, at every turn of every loop.

Shares no code with the planner or the scheduler. Extents of operands come from the kernel table, addresses
from the program, and what must lie there from the graph.

The proof ends, and its memory is bounded, whatever the program says: it takes at most STEPS_PER_BYTE steps
(statements and turns of loops) for each byte of a value and SPARE_STEPS more, and holds 4 bytes for each byte
of L1, L3 and the caller's buffers, 10 for each of L2, 5 for each of a value, and what the statements between
two barriers touch. `check_values` and `check_buffers` hold these sizes to graph and plan beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.program import Program
from tmc.backend_gap9.prove.agreement import check_buffers, check_values
from tmc.backend_gap9.prove.clock import ReplayedCycles
from tmc.backend_gap9.prove.memory import UNDEFINED, space_of
from tmc.backend_gap9.prove.walk import ProgramWalk
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph
from tmc.ir.ops import VIEWS


@dataclass(frozen=True, slots=True)
class CheckReport:
    """How much was checked: unrolled transfers and calls, and bytes read by calls whose origin was proved.

    replayed: the cycles of each stage, call by call and transfer by transfer; in_flight_max: the
    most transfers between L2 and L1 that were started and not waited for.
    """

    stages: int
    transfers: int
    calls: int
    bytes_proved: int
    replayed: tuple[ReplayedCycles, ...]
    in_flight_max: int


def check_program(
    program: Program, graph: Graph, plan: Plan, contents: Mapping[str, bytes], target: Target
) -> CheckReport:
    """Prove that a program computes every op from the right bytes, without a race, inside its buffers.

    contents: the packed bytes of every constant block, as they lie in L3.

    Raises: CheckError naming stage, statement, loop variables and bytes where a rule is broken first.
    """
    check_values(program, graph, plan)
    check_buffers(program, plan)
    return prove_program(program, graph, plan, contents, target)


def prove_program(
    program: Program, graph: Graph, plan: Plan, contents: Mapping[str, bytes], target: Target
) -> CheckReport:
    """Do the part of `check_program` that unrolls the program; of the plan only the constant blocks count."""
    walk = ProgramWalk(program, graph, plan, contents, target)
    walk.run_init()
    for number in range(len(program.stages)):
        walk.run_stage(number)
    check_end(walk, graph)
    counts = walk.state.counts
    return CheckReport(
        len(program.stages),
        counts.transfers,
        counts.calls,
        counts.bytes_proved,
        tuple(walk.replayed),
        counts.in_flight_max,
    )


def check_end(walk: ProgramWalk, graph: Graph) -> None:
    """Check what must be true behind the last stage: all computed, outputs complete, ready for the next run.

    Raises: CheckError naming the op or the buffer.
    """
    walk.expect_idle("end of the run")
    state, tags = walk.state, walk.state.tags
    for op in graph.ops:
        if op.kind in VIEWS:
            continue
        if op.output not in state.called:
            raise CheckError(op.loc, f"found no call of %{op.output}")
        first, size_bytes = tags.span(op.output)
        missing = np.flatnonzero(~state.produced[first : first + size_bytes])
        if missing.size:
            byte = tags.describe(first + int(missing[0]))
            raise CheckError(op.loc, f"found {missing.size} bytes never computed, the first is {byte}")
    for value, name in walk.program.outputs.items():
        first, size_bytes = tags.span(value)
        found = state.memories.spaces[space_of(walk.buffer("l2", name))[0]]
        if found.size < size_bytes:
            raise CheckError(f"buffer {name}", f"found {found.size} bytes, allowed at least {size_bytes}")
        wrong = np.flatnonzero(found[:size_bytes] != tags.all[first : first + size_bytes])
        if wrong.size:
            byte_found, byte_allowed = (
                tags.describe(int(found[wrong[0]])),
                tags.describe(first + int(wrong[0])),
            )
            raise CheckError(
                f"buffer {name}", f"found {byte_found} at byte {wrong[0]} at the end, allowed {byte_allowed}"
            )
    lost = np.flatnonzero((walk.resident != UNDEFINED) & (walk.resident != state.memories.spaces["l2"]))
    if lost.size:
        byte = tags.describe(int(walk.resident[lost[0]]))
        raise CheckError(
            "end of the run", f"found l2 byte {lost[0]} overwritten, allowed {byte} for the next run"
        )
