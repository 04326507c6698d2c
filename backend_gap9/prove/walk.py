"""Unroll a program stage by stage: every statement at every turn of its loops, at its real addresses."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

from tmc.backend_gap9.kernels.linear import idle_cycles, job_of
from tmc.backend_gap9.kernels.record import Extent
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.plan.plan import MemoryName, Plan
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.program.program import (
    Address,
    Barrier,
    Call,
    Dma,
    Fetch,
    If,
    Job,
    JobEnd,
    Let,
    Loop,
    Program,
    Slot,
    Stage,
    Stmt,
    Wait,
)
from tmc.backend_gap9.prove.calls import CallRules
from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.clock import ReplayedCycles, StageClock
from tmc.backend_gap9.prove.memory import UNDEFINED, Region, space_of, view
from tmc.backend_gap9.prove.place import Numbers, Place
from tmc.backend_gap9.prove.races import SlotKey, Transfer
from tmc.backend_gap9.prove.state import ProgramState
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph

WORD_BYTES = 4
INIT = -1
# Statements and turns of loops: a program moves or computes a byte or more in every few of them.
STEPS_PER_BYTE = 1
SPARE_STEPS = 100_000
Buffers = dict[tuple[MemoryName, str], Buffer]


class ProgramWalk:
    """A program and the state it is in. `run_init`, then `run_stage` for each stage."""

    def __init__(
        self, program: Program, graph: Graph, plan: Plan, contents: Mapping[str, bytes], target: Target
    ) -> None:
        """Stand before init: L3 holds the constant blocks, everything else is undefined."""
        self.program = program
        self._target = target
        self.replayed: list[ReplayedCycles] = []  # of each stage so far
        self._clock = StageClock(target)
        self.state = ProgramState(program)
        self._rules = CallRules(program, graph, plan, contents, self.state.tags, target)
        self._fetch_stage = {
            entry.block.name: INIT if entry.resident else entry.fetch_stage for entry in plan.residency
        }
        self._idle_cycles = {
            op.output: idle_cycles(target, job) for op in graph.ops if (job := job_of(graph, op)) is not None
        }
        self._inputs = frozenset(program.inputs.values())
        self._shared: Buffers = {}
        for buffer in program.buffers:
            self._declare(self._shared, "program", buffer)
            if buffer.memory == "l3":
                self._hold(buffer, buffer.name)
        self.state.memories.spaces["l3"].setflags(write=False)
        self.resident = self.state.memories.spaces["l2"]  # L2 behind init
        self._stage, self._number = program.init, INIT
        self._buffers: Buffers = {}
        self._numbers = Numbers({})
        self._steps_left = STEPS_PER_BYTE * self.state.tags.all.size + SPARE_STEPS

    def fork(self, program: Program) -> ProgramWalk:
        """Return a walk that goes on from here, between two stages, with the same buffers in L2 and L3."""
        twin = copy(self)
        twin.program, twin.state, twin.replayed = program, self.state.copy(), list(self.replayed)
        return twin

    def buffer(self, memory: MemoryName, name: str) -> Buffer:
        """Return a buffer of the program in L2 or L3."""
        return self._shared[memory, name]

    def run_init(self) -> None:
        """Run init; then the caller's inputs arrive."""
        self._run_stage(self.program.init, INIT)
        self.expect_idle("init")
        self.state.races.barrier()
        self.resident = self.state.memories.spaces["l2"].copy()
        for value, name in self.program.inputs.items():
            self._hold(self._shared["l2", name], value)

    def run_stage(self, number: int) -> None:
        """Run a stage. Its L1 is undefined before, and no transfer to or from L1 outlives it."""
        self._clock = StageClock(self._target)
        self._run_stage(self.program.stages[number], number)
        self.replayed.append(self._clock.replayed())

    def expect_idle(self, where: str) -> None:
        """Raise CheckError if a transfer is in flight; no job outlives its stage."""
        for transfer in self.state.races.in_flight.values():
            raise CheckError(
                where, f"found the transfer of {transfer.place} in flight at the end, allowed none"
            )

    def _run_stage(self, stage: Stage, number: int) -> None:
        buffers = dict(self._shared)
        for buffer in stage.buffers:
            if buffer.memory != "l1":
                raise CheckError(
                    f"stage {stage.name}", f"found buffer {buffer.name} in {buffer.memory}, allowed l1"
                )
            self._declare(buffers, f"stage {stage.name}", buffer)
        self._stage, self._number, self._buffers = stage, number, buffers
        self._numbers = Numbers(stage.tables)
        self._rules.new_stage()
        self.state.memories.spaces["l1"].fill(UNDEFINED)
        self._run(stage.body, {})
        for transfer in self.state.races.in_flight.values():
            if transfer.kind == "l2":
                raise CheckError(
                    f"stage {stage.name}",
                    f"found the transfer of {transfer.place} in flight at the "
                    "end, allowed none that touches L1",
                )
        for job in self.state.races.jobs.values():
            raise CheckError(
                f"stage {stage.name}", f"found the job of {job.place} in flight at the end, allowed none"
            )

    def _declare(self, buffers: Buffers, where: str, buffer: Buffer) -> None:
        if (buffer.memory, buffer.name) in buffers:
            raise CheckError(where, f"found the buffer {buffer.name} twice in {buffer.memory}, allowed once")
        limit = buffer.size_bytes if buffer.external else self.state.memories.spaces[buffer.memory].size
        end = buffer.offset_bytes + buffer.size_bytes
        if buffer.offset_bytes < 0 or buffer.size_bytes < 1 or end > limit:
            raise CheckError(
                where,
                f"found buffer {buffer.name} at bytes {buffer.offset_bytes} to {end}, "
                f"allowed 0 to {limit} of {buffer.memory}",
            )
        buffers[buffer.memory, buffer.name] = buffer

    def _hold(self, buffer: Buffer, value: str) -> None:
        """Put a whole value, dense, at the beginning of a buffer."""
        shape = self.program.values[value]
        size_bytes = shape.rows * shape.row_bytes
        tags = self.state.tags.region(value, 0, 0, Extent(shape.rows, shape.row_bytes, shape.row_bytes))
        assert tags is not None, "a value is a part of itself"
        if buffer.size_bytes < size_bytes:
            raise CheckError(
                f"buffer {buffer.name}",
                f"found {buffer.size_bytes} bytes, allowed at least the {size_bytes} of {value}",
            )
        space, start = space_of(buffer)
        held = self.state.memories.spaces[space][start : start + size_bytes]
        held[...] = view(self.state.tags.all, tags).reshape(-1)

    def _run(self, body: tuple[Stmt, ...], variables: dict[str, int]) -> None:
        """Run statements; names bound here end here."""
        inner = dict(variables)
        for statement in body:
            place = Place(self._stage.name, statement, inner)
            self._step(place)
            match statement:
                case Loop(var, count, inside):
                    self._new_name(var, inner, place)
                    for turn in range(count):
                        self._step(place)
                        self._run(inside, {**inner, var: turn})
                case Let(var, value):
                    self._new_name(var, inner, place)
                    inner[var] = self._numbers.value(value, place)
                case If(condition, inside):
                    if self._numbers.holds(condition, place):
                        self._run(inside, inner)
                case Dma() | Fetch():
                    place = Place(self._stage.name, statement, dict(inner))
                    transfer = (
                        self._transfer(statement, place)
                        if isinstance(statement, Dma)
                        else self._fetch(statement, place)
                    )
                    self.state.start(self._slot(statement.slot, place), transfer, place)
                    self._count_in_flight(place)
                case Wait(slot, memory):
                    self._clock.wait(self._slot(slot, place))
                    self.state.wait(self._slot(slot, place), memory, place)
                case Call():
                    place = Place(self._stage.name, statement, dict(inner))
                    checked, regions = self._checked(statement, place)
                    self._clock.call(KERNELS[checked.kernel], checked.arguments)
                    self.state.call(checked, regions, place)
                case Job(slot, call):
                    place = Place(self._stage.name, statement, dict(inner))
                    checked, regions = self._checked(call, place)
                    key = self._slot(slot, place)
                    self._clock.start_job(key, KERNELS[checked.kernel], checked.arguments)
                    self.state.start_job(key, checked, regions, place)
                case JobEnd(slot, call):
                    key = self._slot(slot, place)
                    self._clock.end_job(key, self._idle_cycles.get(call.op, 0))
                    self.state.end_job(key, *self._checked(call, place), place)
                case Barrier():
                    self.state.races.barrier()

    def _step(self, place: Place) -> None:
        """Count a statement or a turn: a program that goes on for ever is refused."""
        self._steps_left -= 1
        if self._steps_left < 0:
            raise place.error(
                f"found more than {STEPS_PER_BYTE * self.state.tags.all.size + SPARE_STEPS:,} steps, "
                "allowed as many in all"
            )

    def _new_name(self, name: str, variables: Mapping[str, int], place: Place) -> None:
        if name in variables:
            raise place.error(f"found the name {name} bound again, allowed a new one")

    def _slot(self, slot: Slot, place: Place) -> SlotKey:
        index, instances = self._numbers.value(slot.index, place), self.program.slots.get(slot.name, 0)
        if not 0 <= index < instances:
            raise place.error(f"found instance {index} of slot {slot.name}, allowed {instances} instances")
        return slot.name, index

    def _count_in_flight(self, place: Place) -> None:
        """Count what the cluster's DMA has to do at once: more than it queues would hold core 0 up."""
        count, allowed = self.state.races.count_in_flight("l2"), self._target.dma.queue_entries
        if count > allowed:
            raise place.error(
                f"found {count} transfers between L2 and L1 in flight, allowed {allowed}",
                "the target queues too few (dma.queue_entries) for what tiles bring ahead",
            )
        self.state.counts.in_flight_max = max(self.state.counts.in_flight_max, count)

    def _transfer(self, dma: Dma, place: Place) -> Transfer:
        lines, line_bytes, pitch_bytes = (
            self._numbers.value(expr, place) for expr in (dma.lines, dma.line_bytes, dma.l2_pitch_bytes)
        )
        total = lines * line_bytes
        if lines < 1 or line_bytes < 1 or total > self._target.dma.max_bytes:
            raise place.error(
                f"found {lines} lines of {line_bytes} bytes, allowed 1 to {self._target.dma.max_bytes} in all"
            )
        self._clock.start(self._slot(dma.slot, place), lines, total)
        l1 = self._region(dma.l1, Extent(1, total, total), "l1", place)
        l2 = self._region(dma.l2, Extent(lines, line_bytes, pitch_bytes), "l2", place)
        if dma.direction == "in":
            return Transfer(place, "l2", l2, l1)
        if dma.l2.buffer in self._inputs:
            raise place.error(f"found a transfer into the caller's input {dma.l2.buffer}")
        return Transfer(place, "l2", l1, l2)

    def _fetch(self, fetch: Fetch, place: Place) -> Transfer:
        allowed = self._fetch_stage.get(fetch.l3.buffer)
        if allowed != self._number:
            raise place.error(
                f"found a fetch of {fetch.l3.buffer} in stage {self._number}, "
                f"the plan has it in stage {allowed} ({INIT} is init)"
            )
        extent = Extent(1, fetch.size_bytes, fetch.size_bytes)
        l3 = self._region(fetch.l3, extent, "l3", place)
        l2 = self._region(fetch.l2, extent, "l2", place)
        if l3.start % WORD_BYTES or l2.start % WORD_BYTES or fetch.size_bytes % WORD_BYTES:
            raise place.error(
                f"found {fetch.size_bytes} bytes from byte {l3.start} to byte {l2.start}, "
                f"allowed multiples of {WORD_BYTES}"
            )
        return Transfer(place, "l3", l3, l2)

    def _checked(self, call: Call, place: Place) -> tuple[CheckedCall, tuple[Region, ...]]:
        """Return a call with its numbers and claims, and where its operands lie."""
        is_job = not isinstance(place.statement, Call)
        checked = self._rules.check(self._number, call, self._numbers, place, is_job=is_job)
        addresses = {operand.field: operand.address for operand in call.operands}
        regions = []
        for claim in checked.claims:
            region = self._region(
                addresses[claim.field], claim.extent, "l1", place, f"operand {claim.field}: "
            )
            start, unit = KERNELS[checked.kernel].operand(claim.field).units(checked.arguments)
            if region.start % start or (region.rows > 1 and region.pitch_bytes % unit):
                raise place.error(
                    f"operand {claim.field}: found byte {region.start}, rows {region.pitch_bytes} "
                    f"bytes apart, allowed multiples of {start if region.start % start else unit}"
                )
            regions.append(region)
        return checked, tuple(regions)

    def _region(
        self, address: Address, extent: Extent, memory: MemoryName, place: Place, what: str = ""
    ) -> Region:
        """Return where an address points; every byte of the extent lies in its buffer."""
        buffer = self._buffers.get((memory, address.buffer))
        if buffer is None:
            raise place.error(f"{what}found the buffer {address.buffer}, allowed a buffer in {memory}")
        offset = self._numbers.value(address.offset_bytes, place)
        if (
            extent.rows < 1
            or extent.row_bytes < 1
            or (extent.rows > 1 and extent.pitch_bytes < extent.row_bytes)
        ):
            raise place.error(
                f"{what}found {extent.rows} rows of {extent.row_bytes} bytes, {extent.pitch_bytes} "
                "apart, allowed rows that do not overlap"
            )
        pitch_bytes = extent.pitch_bytes if extent.rows > 1 else extent.row_bytes
        end = offset + (extent.rows - 1) * pitch_bytes + extent.row_bytes
        if offset < 0 or end > buffer.size_bytes:
            raise place.error(
                f"{what}found bytes {offset} to {end} of buffer {buffer.name}, "
                f"allowed 0 to {buffer.size_bytes}"
            )
        space, base = space_of(buffer)
        return Region(space, base + offset, extent.rows, extent.row_bytes, pitch_bytes)
