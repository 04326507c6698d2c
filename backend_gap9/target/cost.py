"""The cost model of transfers: cycles from the constants of the target. That of kernels is in `kernels`."""

from __future__ import annotations

from math import ceil

from tmc.backend_gap9.target.target import Target


def dma_cycles(target: Target, size_bytes: int, lines: int = 1) -> int:
    """Return the cycles of one transfer between L2 and L1, with its start-up."""
    dma = target.dma
    return dma.startup_cycles + (lines - 1) * dma.line_cycles + ceil(size_bytes / dma.bytes_per_cycle)


def fetch_cycles(target: Target, size_bytes: int) -> int:
    """Return the cycles of one transfer from L3 to L2, with its start-up."""
    channel = target.l3_channel
    return channel.startup_cycles + ceil(size_bytes / channel.bytes_per_cycle)
