"""The clock of a program: what its calls and transfers take, one by one as they run, by the cost of one.

A call takes what its kernel's record says of its numbers; a transfer what the target says of its bytes and
lines. Core 0 starts transfers and jobs, waits for them, and works; the DMA moves one transfer after the
other, and the accelerator runs one job after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from tmc.backend_gap9.kernels.costs import call_cycles, cold_cycles
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
    called: set[str] = field(default_factory=set)

    def call(self, kernel: Kernel, arguments: Arguments) -> None:
        """Run a call; the code of a kernel that the stage has not called before comes from L2."""
        cycles = call_cycles(self.target, kernel, arguments)
        if kernel.stem not in self.called:
            self.called.add(kernel.stem)
            cycles += cold_cycles(self.target, kernel)
        self.compute += cycles
        self.now += cycles

    def start(self, slot: SlotKey, lines: int, size_bytes: int) -> None:
        """Start a transfer between L2 and L1."""
        dma = self.target.dma
        cycles = dma.startup_cycles + (lines - 1) * dma.line_cycles + ceil(size_bytes / dma.bytes_per_cycle)
        self.dma += cycles
        self.dma_free_at = max(self.dma_free_at, self.now) + cycles
        self.ends[slot] = self.dma_free_at

    def start_job(self, slot: SlotKey, kernel: Kernel, arguments: Arguments) -> None:
        """Start a job: core 0 describes it, then it waits for those before it."""
        self.compute += self.target.calls.job_cycles
        self.now += self.target.calls.job_cycles
        cycles = ceil(kernel.core_cycles(self.target, arguments))
        self.jobs += cycles
        self.accelerator_free_at = max(self.accelerator_free_at, self.now) + cycles
        self.ends[slot] = self.accelerator_free_at

    def wait(self, slot: SlotKey) -> None:
        """Wait for the transfer or the job in a slot."""
        end = self.ends.get(slot, self.now)
        self.waited += max(0, end - self.now)
        self.now = max(self.now, end)

    def replayed(self) -> ReplayedCycles:
        """Return what the stage has taken."""
        return ReplayedCycles(self.compute, self.dma, self.jobs, self.waited)
