"""What a compile has to know about a chip: memories, transfers and the cost of kernels.

Cycles are cycles of the cluster clock everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tmc.ir.errors import TmcError


@dataclass(frozen=True, slots=True)
class Memory:
    """One level. reserved_bytes is what the plan may not use: code, stacks, the run time's own data."""

    size_bytes: int
    reserved_bytes: int

    @property
    def usable_bytes(self) -> int:
        """Return what the plan may use."""
        return self.size_bytes - self.reserved_bytes


@dataclass(frozen=True, slots=True)
class ClusterMemory:
    """L1: the plan shares it with the stacks of the cores and with the run time's own data."""

    size_bytes: int
    runtime_bytes: int


@dataclass(frozen=True, slots=True)
class Stacks:
    """Stacks in L1: worker_bytes for each core that works, controller_bytes for the one that starts them.

    Generated code and kernels run on the former: no compile or build lets them need more.
    """

    worker_bytes: int
    controller_bytes: int


@dataclass(frozen=True, slots=True)
class Dma:
    """Transfers between L2 and L1 of at most max_bytes each; queue_entries may be in flight.

    line_cycles come on top for every line after the first of a two-dimensional transfer.
    """

    bytes_per_cycle: float
    startup_cycles: int
    line_cycles: int
    max_bytes: int
    queue_entries: int


@dataclass(frozen=True, slots=True)
class L3Channel:
    """Transfers between L3 and L2, one at a time, of blocks that begin at multiples of alignment_bytes."""

    bytes_per_cycle: float
    startup_cycles: int
    alignment_bytes: int


@dataclass(frozen=True, slots=True)
class Calls:
    """Cycles of a call: arguments and prologue, the barrier; cold: more for a kernel's first in a stage,
    short_cold: of a kernel that is a short loop.

    job: of core 0, to start a job of the accelerator; turn: in that of each job of a linear besides.
    """

    startup_cycles: int
    job_cycles: int
    turn_cycles: int
    cold_cycles: int
    short_cold_cycles: int
    barrier_cycles: int


@dataclass(frozen=True, slots=True)
class KernelTables:
    """The cost constants of kernels, a table for each; the records of the kernels say what they are.

    Cycles of one core, with all others at work: bank conflicts and shared caches are in the figures. where:
    the file that has them.
    """

    where: str = field(compare=False)
    tables: Mapping[str, Mapping[str, Any]]

    def __hash__(self) -> int:
        """Hash by the names of the tables."""
        return hash(frozenset(self.tables))

    def table(self, kernel: str) -> Mapping[str, Any]:
        """Return the constants of a kernel.

        Raises: TmcError for a kernel without any.
        """
        if kernel not in self.tables:
            raise TmcError(self.where, f"found no table [kernels.{kernel}], allowed one for each kernel")
        table = self.tables[kernel]
        if not isinstance(table, Mapping):
            key = f"kernels.{kernel}"
            raise TmcError(self.where, f"{key}: found {table!r}, allowed a table [{key}]")
        return table


@dataclass(frozen=True, slots=True)
class Target:
    """A chip, or a way to use it. `cores` work; one more starts transfers and waits for them.

    accelerator: "ne16", or "" for none.
    """

    name: str
    description: str
    cores: int
    accelerator: str
    cluster_hz: int
    l1: ClusterMemory
    l2: Memory
    l3: Memory
    stacks: Stacks
    dma: Dma
    l3_channel: L3Channel
    calls: Calls
    kernels: KernelTables

    @property
    def l1_usable_bytes(self) -> int:
        """Return what the plan may use of L1: all but the stacks and the run time's own data."""
        stacks_bytes = self.cores * self.stacks.worker_bytes + self.stacks.controller_bytes
        return self.l1.size_bytes - stacks_bytes - self.l1.runtime_bytes
