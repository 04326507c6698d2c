"""The cost model of kernels: modelled cycles of a call, from the numbers it is called with.

Kernels are modelled as all cores at work, each on a contiguous chunk of ceil(n / cores) rows (or channels,
where the kernel splits those); the call lasts as long as the largest chunk. The constants of each kernel are
a table of the target's file, read as the record that the kernel's own file declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Any, TypeVar, cast

from tmc.backend_gap9.kernels.record import Arguments, Kernel
from tmc.backend_gap9.target.read_record import closest, read_record
from tmc.backend_gap9.target.target import KernelTables, Target
from tmc.ir.errors import TmcError

Costs = TypeVar("Costs")


@dataclass(frozen=True, slots=True)
class BlockCosts:
    """A matrix product keeps rows x channels sums in registers.

    One block takes ceil(depth / 4) * step_cycles + block_cycles on one core: a step takes 4 bytes of each row
    of depth, then come requantisation and stores. A block at the edge costs as much as any other: the kernels
    compute again what it has too much.
    """

    rows: int
    channels: int
    step_cycles: float
    block_cycles: float

    def cycles(self, rows: int, channels: int, depth_bytes: int) -> float:
        """Return the cycles of one core for rows x channels sums over depth_bytes of each row."""
        blocks = -(-rows // self.rows) * -(-channels // self.channels)
        return blocks * (-(-depth_bytes // 4) * self.step_cycles + self.block_cycles)


def check_costs(target: Target, tables: Mapping[str, type[Any]]) -> None:
    """Refuse a target that lacks cost constants of a kernel, or has some that no kernel knows.

    tables: the record of each table. Raises: TmcError naming the file, the key and what is allowed.
    """
    for name in target.kernels.tables:
        if name not in tables:
            what = f"found the table [kernels.{name}], allowed those of {', '.join(tables)}"
            raise TmcError(target.kernels.where, what, *closest(name, tables))
    for name, record in tables.items():
        costs_of(target, name, record)


def costs_of(target: Target, kernel: str, record: type[Costs]) -> Costs:
    """Return the constants of a kernel on a target, the table [kernels.<kernel>] of its file.

    Raises: TmcError for a table that lacks a constant, or has one that no kernel knows.
    """
    found: Costs = _read(target.kernels, kernel, cast("Any", record))
    return found


@cache
def _read(tables: KernelTables, kernel: str, record: Any) -> Any:
    return read_record(record, tables.table(kernel), tables.where, f"kernels.{kernel}.")


def share(target: Target, count: int) -> int:
    """Return how many of `count` rows or channels the core with the most of them has."""
    return -(-count // target.cores)


def cold_cycles(target: Target, kernel: Kernel) -> int:
    """Return what a kernel's first call in a stage takes more than its others: its code comes from L2."""
    calls = target.calls
    return (
        calls.short_cold_cycles
        if kernel.is_short
        else calls.cold_cycles + ceil(kernel.long_code_cycles(target))
    )


def call_cycles(target: Target, kernel: Kernel, arguments: Arguments) -> int:
    """Return the modelled cycles of one call with its barrier, its code in the caches."""
    return ceil(kernel.core_cycles(target, arguments)) + idle_call_cycles(target)


def idle_call_cycles(target: Target) -> int:
    """Return what a call takes besides its kernel: waits, starts of transfers, the barrier."""
    return target.calls.startup_cycles + target.calls.barrier_cycles
