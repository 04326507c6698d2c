"""How cores share rows and channels: groups of cores take runs of rows, their cores runs of channels.

`split` is the logarithm of the cores in a group. Many rows are split by rows alone; where each core would
have few, a block of registers is filled better by more rows of fewer channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tmc.backend_gap9.kernels.record import Arguments, Kernel
from tmc.backend_gap9.target.target import Target

SPLIT = "split"
CHANNEL_STEP = 4  # cores take multiples of so many channels


@dataclass(frozen=True, slots=True)
class GridPart:
    """What a core has: rows from row0 on, and channels."""

    row0: int
    rows: int
    channels: int


def splits(target: Target) -> range:
    """Return all values of `split`: a group has 1 core, or 2, 4, ..."""
    return range(target.cores.bit_length())


@cache
def _parts(cores: int, rows: int, channels: int, split: int) -> tuple[GridPart, ...]:
    row_chunk = -(-rows // (cores >> split))
    steps = -(-channels // CHANNEL_STEP)
    channel_chunk = -(-steps // (1 << split)) * CHANNEL_STEP
    widths = {min(channel_chunk, channels - first) for first in range(0, channels, channel_chunk)}
    return tuple(
        GridPart(first, min(row_chunk, rows - first), width)
        for first in range(0, rows, row_chunk)
        for width in sorted(widths)
    )


def grid_parts(target: Target, rows: int, channels: int, split: int) -> tuple[GridPart, ...]:
    """Return the parts of all cores that have one, of alike ones in the same rows only one."""
    return _parts(target.cores, rows, channels, split)


def best_split(target: Target, kernel: Kernel, arguments: Arguments) -> int:
    """Return the split of least modelled cycles, the smallest of them; 0 for a kernel that has none."""
    if SPLIT not in kernel.arguments:
        return 0
    return min(splits(target), key=lambda split: kernel.core_cycles(target, {**arguments, SPLIT: split}))
