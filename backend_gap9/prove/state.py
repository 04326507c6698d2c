"""The state of a running program, and what transfers and calls do to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.program.program import Program
from tmc.backend_gap9.prove.claims import CheckedCall, Claim
from tmc.backend_gap9.prove.memory import (
    UNDEFINED,
    Memories,
    Region,
    ValueTags,
    rows_agree,
    shared_byte,
    view,
)
from tmc.backend_gap9.prove.place import Place
from tmc.backend_gap9.prove.races import Access, Races, RunningCall, SlotKey, Transfer
from tmc.ir.graph import Op

MOST_JOBS = 2  # what the queue of the accelerator holds


@dataclass(slots=True)
class Counts:
    """What has run so far; in_flight_max: transfers between L2 and L1 at once."""

    transfers: int = 0
    calls: int = 0
    bytes_proved: int = 0
    in_flight_max: int = 0


Operands = tuple[tuple[Claim, Region], ...]


@dataclass(frozen=True, slots=True)
class Results:
    """What a call leaves of its op, operand by operand."""

    op: Op
    operands: Operands


class ProgramState:
    """Memories, transfers in flight, running calls, and what was produced."""

    def __init__(self, program: Program) -> None:
        """Start with undefined memories and idle slots."""
        self.tags = ValueTags(program.values, program.views)
        self.memories = Memories(program)
        self.races = Races()
        self.counts = Counts()
        self._results: dict[SlotKey, Results] = {}  # of the jobs in flight
        self.produced = np.zeros(
            self.tags.all.size, dtype=np.bool_
        )  # by tag: some call of its op wrote this byte
        self.called: set[str] = set()

    def copy(self) -> ProgramState:
        """Return an independent copy."""
        twin = ProgramState.__new__(ProgramState)
        twin.tags = self.tags
        twin.memories, twin.races = self.memories.copy(), self.races.copy()
        twin.counts = replace(self.counts)
        twin._results = dict(self._results)
        twin.produced, twin.called = self.produced.copy(), set(self.called)
        return twin

    def start(self, key: SlotKey, transfer: Transfer, place: Place) -> None:
        """Start a transfer. Its destination is undefined until the wait."""
        if key in self.races.in_flight:
            raise place.error(
                f"found slot {key[0]}[{key[1]}] busy with {self.races.in_flight[key].place}, "
                "allowed an idle slot"
            )
        conflict = self.races.start(key, transfer)
        if conflict:
            raise place.error(f"found {conflict}")
        if self.memories.view(transfer.source).max() == UNDEFINED:
            raise place.error(
                f"found only undefined bytes to copy from {transfer.source.space} "
                f"byte {transfer.source.start} on"
            )
        self.memories.view(transfer.destination)[...] = UNDEFINED
        self.counts.transfers += 1

    def wait(self, key: SlotKey, kind: str, place: Place) -> None:
        """Wait for a transfer: its bytes have arrived."""
        transfer = self.races.in_flight.get(key)
        if transfer is None:
            raise place.error(f"found slot {key[0]}[{key[1]}] idle, allowed a busy slot")
        if transfer.kind != kind:
            raise place.error(
                f"found slot {key[0]}[{key[1]}] busy with {transfer.place}, allowed a transfer from {kind}"
            )
        self.races.wait(key)
        source = self.memories.view(transfer.source)
        destination = self.memories.view(transfer.destination)
        destination[...] = source.reshape(destination.shape)

    def call(self, call: CheckedCall, regions: tuple[Region, ...], place: Place) -> None:
        """Run a call whose claims stand at these regions: they hold what is read, then what is written."""
        operands = tuple(zip(call.claims, regions, strict=True))
        running = self._running(call.kernel, operands, place)
        conflict = self.races.call(running)
        if conflict:
            raise place.error(f"found {conflict}")
        self._read(operands, place)
        spoiled, _ = _in_place(call.kernel)
        for claim, region in operands:
            if claim.field == spoiled:
                self.memories.view(region)[...] = UNDEFINED
        self._write(Results(call.op, operands))

    def start_job(self, key: SlotKey, call: CheckedCall, regions: tuple[Region, ...], place: Place) -> None:
        """Start a job whose claims stand at these regions. What it writes is undefined until the wait."""
        if key in self.races.jobs:
            raise place.error(
                f"found slot {key[0]}[{key[1]}] busy with {self.races.jobs[key].place}, allowed an idle slot"
            )
        if len(self.races.jobs) == MOST_JOBS:
            raise place.error(f"found {MOST_JOBS + 1} jobs in flight, allowed {MOST_JOBS}")
        operands = tuple(zip(call.claims, regions, strict=True))
        conflict = self.races.start_job(key, self._running(call.kernel, operands, place))
        if conflict:
            raise place.error(f"found {conflict}")
        self._read(operands, place)
        for claim, region in operands:
            if claim.access != "read":
                self.memories.view(region)[...] = UNDEFINED
        self._results[key] = Results(call.op, operands)

    def end_job(self, key: SlotKey, call: CheckedCall, regions: tuple[Region, ...], place: Place) -> None:
        """Wait for the job that was started first: its results are there. It was this call."""
        if key not in self.races.jobs:
            raise place.error(f"found slot {key[0]}[{key[1]}] idle, allowed a busy slot")
        first = next(iter(self.races.jobs))
        if key != first:
            raise place.error(
                f"found a wait for slot {key[0]}[{key[1]}], allowed the job that was started first, "
                f"that of slot {first[0]}[{first[1]}]"
            )
        results = self._results.pop(key)
        if results != Results(call.op, tuple(zip(call.claims, regions, strict=True))):
            raise place.error(f"found another call than that of {self.races.jobs[key].place}")
        self.races.end_job(key)
        self._write(results)

    def _running(self, kernel: str, operands: Operands, place: Place) -> RunningCall:
        accesses = tuple(Access(claim.field, region, claim.access != "read") for claim, region in operands)
        self._disjoint(kernel, accesses, place)
        return RunningCall(place, accesses)

    def _read(self, operands: Operands, place: Place) -> None:
        for claim, region in operands:
            if claim.before is not None:
                self._prove(claim, region, claim.before, place)

    def _write(self, results: Results) -> None:
        for claim, region in results.operands:
            if claim.after is not None:
                self.memories.view(region)[...] = view(self.tags.all, claim.after)
                if self.tags.root(claim.value) == self.tags.root(results.op.output):
                    np.ndarray(
                        (claim.after.rows, claim.after.row_bytes),
                        np.bool_,
                        self.produced,
                        claim.after.start,
                        (claim.after.pitch_bytes, 1),
                    )[...] = True
        self.called.add(results.op.output)
        self.counts.calls += 1

    def _disjoint(self, kernel: str, accesses: tuple[Access, ...], place: Place) -> None:
        spoiled, made = _in_place(kernel)
        for index, one in enumerate(accesses):
            for other in accesses[:index]:
                byte = shared_byte(one.region, other.region) if one.writes or other.writes else None
                if byte is None:
                    continue
                a, b = (one, other) if one.field == spoiled else (other, one)
                in_place = (a.field, b.field) == (spoiled, made) and rows_agree(a.region, b.region)
                if not in_place:
                    raise place.error(f"found operands {other.field} and {one.field} share byte {byte}")

    def _prove(self, claim: Claim, region: Region, tags: Region, place: Place) -> None:
        found = self.memories.view(region)
        allowed = view(self.tags.all, tags).reshape(found.shape)
        if not np.array_equal(found, allowed):
            row, column = (int(index[0]) for index in np.nonzero(found != allowed))
            address = region.start + row * region.pitch_bytes + column
            raise place.error(
                f"operand {claim.field}: found {self.tags.describe(int(found[row, column]))} at "
                f"{region.space} byte {address}, "
                f"allowed {self.tags.describe(int(allowed[row, column]))}"
            )
        self.counts.bytes_proved += region.size_bytes


def _in_place(kernel: str) -> tuple[str, str]:
    """Return the operand that a kernel spoils, and the one whose rows it puts at the start of its rows."""
    found = ((rule.in_place, rule.field) for rule in KERNELS[kernel].operands if rule.in_place is not None)
    return next(found, ("", ""))
