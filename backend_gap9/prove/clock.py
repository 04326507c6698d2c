"""The clock of a program: what its calls and transfers take, one by one as they run, by the cost of one.

A call takes what its kernel's record says of its numbers; a transfer what the target says of its bytes and
lines. Core 0 starts transfers and jobs, waits for them, and works; the DMA moves one transfer after the
other, and the accelerator runs one job after the other, longer where calls or transfers take L1 from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from tmc.backend_gap9.kernels.costs import call_cycles, cold_cycles
from tmc.backend_gap9.kernels.linear import job_costs
from tmc.backend_gap9.kernels.record import Arguments, Kernel
from tmc.backend_gap9.prove.races import SlotKey
from tmc.backend_gap9.target.target import Target


@dataclass(frozen=True, slots=True)
class ReplayedCycles:
    """One stage: calls on cores, transfers between L2 and L1, jobs; what core 0 waited for the latter.

    compute: with what core 0 takes to start jobs.
    """

    compute: int
    dma: int
    jobs: int
    waited: int


@dataclass(slots=True)
class StageClock:
    """The time within a stage. L3 has a clock of its own: see `check_cycles`."""

    target: Target
    now: int = 0
    compute: int = 0
    dma: int = 0
    jobs: int = 0
    waited: int = 0
    dma_free_at: int = 0
    accelerator_free_at: int = 0
    ends: dict[SlotKey, int] = field(default_factory=dict)
    job_slots: set[SlotKey] = field(default_factory=set)
    called: set[str] = field(default_factory=set)

    def call(self, kernel: Kernel, arguments: Arguments) -> None:
        """Run a call; the code of a kernel that the stage has not called before comes from L2."""
        cycles = call_cycles(self.target, kernel, arguments)
        if kernel.stem not in self.called:
            self.called.add(kernel.stem)
            cycles += cold_cycles(self.target, kernel)
        self._delay_jobs(self.now, cycles, job_costs(self.target).core_share)
        self._work(cycles)

    def start(self, slot: SlotKey, lines: int, size_bytes: int) -> None:
        """Start a transfer between L2 and L1."""
        dma = self.target.dma
        cycles = dma.startup_cycles + (lines - 1) * dma.line_cycles + ceil(size_bytes / dma.bytes_per_cycle)
        self.dma += cycles
        begin = max(self.dma_free_at, self.now)
        self._delay_jobs(begin, cycles, job_costs(self.target).dma_share)
        self.dma_free_at = begin + cycles
        self.ends[slot] = self.dma_free_at

    def start_job(self, slot: SlotKey, kernel: Kernel, arguments: Arguments) -> None:
        """Start a job: core 0 describes it, by code that first comes from L2; it waits for those before."""
        cold = 0 if self.jobs else self.target.calls.cold_cycles
        self._work(self.target.calls.job_cycles + cold)
        cycles = ceil(kernel.core_cycles(self.target, arguments))
        self.jobs += cycles
        begin = max(self.accelerator_free_at, self.now)
        share = job_costs(self.target).dma_share
        self.accelerator_free_at = _delayed(begin + cycles, begin, self.dma_free_at - begin, share)
        self.job_slots.add(slot)
        self.ends[slot] = self.accelerator_free_at

    def wait(self, slot: SlotKey) -> None:
        """Wait for the transfer or the job in a slot."""
        end = self.ends.get(slot, self.now)
        self.waited += max(0, end - self.now)
        self.now = max(self.now, end)

    def end_job(self, slot: SlotKey, idle_cycles: int) -> None:
        """Wait for a job. idle_cycles: of core 0 behind it, besides calls."""
        self.wait(slot)
        self._work(idle_cycles)

    def _work(self, cycles: int) -> None:
        self.compute += cycles
        self.now += cycles

    def _delay_jobs(self, begin: int, cycles: int, share: float) -> None:
        """Let jobs in flight end later, of which calls or transfers have a share for some cycles."""
        for slot in self.job_slots:
            self.ends[slot] = _delayed(self.ends[slot], begin, cycles, share)
        self.accelerator_free_at = _delayed(self.accelerator_free_at, begin, cycles, share)

    def replayed(self) -> ReplayedCycles:
        """Return what the stage has taken."""
        return ReplayedCycles(self.compute, self.dma, self.jobs, self.waited)


def _delayed(end: int, begin: int, cycles: int, share: float) -> int:
    """Return the end of a job that others delay, by a share of so many cycles from `begin` on."""
    return end + int(share * max(0, min(cycles, (end - begin) / (1 - share))))
