"""Who touches which bytes at the same time: transfers and jobs in flight, and calls between two barriers.

Core 0 alone starts and awaits transfers and jobs, so these are in order among themselves: one that was
awaited is over for what core 0 starts next. Calls run on all cores and are ordered by barriers only: a
transfer or a job counts as active from the barrier before its start to the barrier after its wait, and a call
as running from the barrier before it to the barrier after it. Jobs in flight run one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tmc.backend_gap9.prove.memory import Region, shared_byte
from tmc.backend_gap9.prove.place import Place


@dataclass(frozen=True, slots=True)
class Transfer:
    """A started transfer and where it was started."""

    place: Place
    kind: Literal["l2", "l3"]
    source: Region
    destination: Region


@dataclass(frozen=True, slots=True)
class Access:
    """What one operand of a call touches."""

    field: str
    region: Region
    writes: bool


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A call since the last barrier, or a job."""

    place: Place
    accesses: tuple[Access, ...]


SlotKey = tuple[str, int]


class Races:
    """Transfers and jobs that are active, and running calls. Methods return a conflict, or None."""

    def __init__(self) -> None:
        """Start with idle slots."""
        self.in_flight: dict[SlotKey, Transfer] = {}
        self.jobs: dict[SlotKey, RunningCall] = {}  # in the order of their starts
        self._waited: list[Transfer] = []  # since the last barrier
        self._ended: list[RunningCall] = []  # jobs, since the last barrier
        self._calls: list[RunningCall] = []  # since the last barrier

    def count_in_flight(self, kind: Literal["l2", "l3"]) -> int:
        """Return how many transfers of a kind were started and not waited for."""
        return sum(transfer.kind == kind for transfer in self.in_flight.values())

    def copy(self) -> Races:
        """Return an independent copy."""
        twin = Races()
        twin.in_flight = dict(self.in_flight)
        twin.jobs = dict(self.jobs)
        twin._waited = list(self._waited)
        twin._ended = list(self._ended)
        twin._calls = list(self._calls)
        return twin

    def barrier(self) -> None:
        """Let all cores meet."""
        self._waited.clear()
        self._ended.clear()
        self._calls.clear()

    def start(self, key: SlotKey, transfer: Transfer) -> str | None:
        """Start a transfer on an idle slot."""
        for other in self.in_flight.values():
            byte = shared_byte(transfer.destination, other.destination)
            if byte is not None:
                return f"destination byte {byte} is also written by {other.place}, still in flight"
            byte = shared_byte(transfer.destination, other.source)
            if byte is not None:
                return f"destination byte {byte} is also read by {other.place}, still in flight"
            byte = shared_byte(transfer.source, other.destination)
            if byte is not None:
                return f"source byte {byte} is also written by {other.place}, still in flight"
        for call in self._calls:
            conflict = _call_against_transfer(call, transfer)
            if conflict:
                return f"{conflict} in {call.place}, without a barrier between them"
        for job in self.jobs.values():
            conflict = _call_against_transfer(job, transfer)
            if conflict:
                return f"{conflict} of {job.place}, still in flight"
        self.in_flight[key] = transfer
        return None

    def start_job(self, key: SlotKey, job: RunningCall) -> str | None:
        """Start a job on an idle slot."""
        conflict = self._beside(job)
        if conflict:
            return conflict
        for earlier in self.jobs.values():
            conflict = _written_twice(job, earlier)
            if conflict:
                return f"{conflict} of {earlier.place}, still in flight"
        self.jobs[key] = job
        return None

    def end_job(self, key: SlotKey) -> None:
        """End the job of a busy slot."""
        self._ended.append(self.jobs.pop(key))

    def wait(self, key: SlotKey) -> Transfer:
        """End the transfer of a busy slot."""
        transfer = self.in_flight.pop(key)
        self._waited.append(transfer)
        return transfer

    def call(self, call: RunningCall) -> str | None:
        """Run a call."""
        conflict = self._beside(call)
        if conflict:
            return conflict
        for transfer in self._waited:
            conflict = _call_against_transfer(call, transfer)
            if conflict:
                return f"{conflict}: no barrier since the wait for {transfer.place}"
        for job in self.jobs.values():
            conflict = _shared(call, job)
            if conflict:
                return f"{conflict} of {job.place}, still in flight"
        for job in self._ended:
            conflict = _shared(call, job)
            if conflict:
                return f"{conflict} of {job.place}: no barrier since the wait for it"
        self._calls.append(call)
        return None

    def _beside(self, call: RunningCall) -> str | None:
        """Tell where a call or a job collides with a transfer in flight, or a call since the last barrier."""
        for transfer in self.in_flight.values():
            conflict = _call_against_transfer(call, transfer)
            if conflict:
                return f"{conflict} while {transfer.place} is in flight"
        for other in self._calls:
            conflict = _shared(call, other)
            if conflict:
                return f"{conflict} of {other.place}, without a barrier between them"
        return None


def _shared(call: RunningCall, other: RunningCall) -> str | None:
    """Tell where one of two calls writes what the other touches."""
    for access in call.accesses:
        for earlier in other.accesses:
            byte = shared_byte(access.region, earlier.region) if access.writes or earlier.writes else None
            if byte is not None:
                return f"operand {access.field} shares byte {byte} with operand {earlier.field}"
    return None


def _written_twice(job: RunningCall, earlier: RunningCall) -> str | None:
    """Tell where a job touches what an earlier one in the queue writes."""
    written = RunningCall(earlier.place, tuple(access for access in earlier.accesses if access.writes))
    return _shared(job, written)


def _call_against_transfer(call: RunningCall, transfer: Transfer) -> str | None:
    """Tell where a call touches what a transfer writes, or writes what it reads."""
    for access in call.accesses:
        byte = shared_byte(access.region, transfer.destination)
        if byte is not None:
            return f"destination byte {byte} is touched by operand {access.field}"
        byte = shared_byte(access.region, transfer.source) if access.writes else None
        if byte is not None:
            return f"source byte {byte} is written by operand {access.field}"
    return None
