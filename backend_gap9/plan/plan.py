"""The plan: tile sizes, buffer offsets in L1, L2 and L3, residency and prefetch of weights.

A plan says nothing about code: `schedule` turns it into a program. It carries the staged graph that it is of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.stages.staged import ConstantBlock, Staged


@dataclass(frozen=True, slots=True)
class LiveRange:
    """Something that needs `size_bytes` from the start of `first` to the end of `last` (steps or stages)."""

    name: str
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Offsets for a set of live ranges, the peak, and the proof that no placement needs less than bound."""

    offsets_bytes: tuple[int, ...]  # in the order of the ranges given
    peak_bytes: int
    bound_bytes: int


@dataclass(frozen=True, slots=True)
class Residency:
    """When each constant block travels from L3 to L2.

    resident: stays in L2 for good, loaded once by init. Otherwise the transfer starts at the beginning of
    stage `fetch_stage` and the block is dead after its own stage.
    """

    block: ConstantBlock
    resident: bool
    fetch_stage: int


@dataclass(frozen=True, slots=True)
class RowTiling:
    """Tiles of a row stage: rows; channels of each linear op, by output value; buffers of each input.

    splits: of linear ops, by output value, how cores share a tile (kernels/grid.py); 0 where none is given.
    ahead_rows: where the first op runs one row tile ahead, beside the jobs of the last one, the rows of it
    beside each job; else 0.
    """

    rows: int
    channels: tuple[tuple[str, int], ...]
    input_buffers: tuple[tuple[str, int], ...]
    splits: tuple[tuple[str, int], ...] = ()
    ahead_rows: int = 0

    def channels_of(self, op: str) -> int:
        """Return the channel tile of the linear op with this output."""
        return dict(self.channels)[op]

    def split_of(self, op: str) -> int:
        """Return how cores share a tile of the linear op with this output."""
        return dict(self.splits).get(op, 0)

    def buffers_of(self, value: str) -> int:
        """Return 1 or 2: how many tiles of this stage input are in L1."""
        return dict(self.input_buffers)[value]

    def text(self) -> str:
        """Return the tiles in words."""
        parts = [f"{self.rows} rows"]
        for op, channels in self.channels:
            cores = 1 << self.split_of(op)
            parts.append(
                f"{channels} channels of {op}" + (f", split among {cores} cores" if cores > 1 else "")
            )
        parts += [f"{name} double-buffered" for name, buffers in self.input_buffers if buffers == 2]
        parts += [f"the first op {self.ahead_rows} rows at a time ahead"] if self.ahead_rows else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class AttentionTiling:
    """Tiles of an attention stage: query rows; keys per tile of K; channels per tile of V transposed; heads.

    Several heads at once have all rows, keys and channels. streamed: K, packed, comes tile by tile for each
    tile of query rows; else it is there whole, if it is packed at all.
    """

    rows: int
    keys: int
    channels: int
    heads: int = 1
    streamed: bool = False

    def text(self) -> str:
        """Return the tiles in words."""
        heads = f"{self.heads} heads, " if self.heads > 1 else ""
        streamed = ", K streamed" if self.streamed else ""
        return f"{heads}{self.rows} query rows, {self.keys} keys, {self.channels} channels of V{streamed}"


@dataclass(frozen=True, slots=True)
class ColumnTiling:
    """Tiles of a column stage: columns per tile."""

    columns: int

    def text(self) -> str:
        """Return the tiles in words."""
        return f"{self.columns} columns"


@dataclass(frozen=True, slots=True)
class MoveTiling:
    """Tiles of a stage that moves rows: rows of the result, at most, and columns."""

    rows: int
    columns: int

    def text(self) -> str:
        """Return the tiles in words."""
        return f"{self.rows} rows of {self.columns} columns"


Tiling = RowTiling | AttentionTiling | ColumnTiling | MoveTiling


@dataclass(frozen=True, slots=True)
class StageCycles:
    """Modelled cycles of one stage: kernels on cores, transfers, jobs of the accelerator.

    exposed: the part of transfers and jobs that kernels do not hide.
    """

    compute: int
    dma: int
    jobs: int
    exposed: int
    bound: int  # no tiling of this stage is modelled faster (the solver's proof)

    @property
    def total(self) -> int:
        """Return compute plus what is exposed."""
        return self.compute + self.exposed


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Everything decided for one stage."""

    tiling: Tiling
    l1: tuple[Buffer, ...]
    l1_peak_bytes: int
    cycles: StageCycles


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything decided for a network, stage by stage of the staged graph."""

    staged: Staged = field(compare=False, repr=False)
    stages: tuple[StagePlan, ...]
    l2: tuple[Buffer, ...]
    l3: tuple[Buffer, ...]
    l2_ranges: tuple[LiveRange, ...]  # same order and names as l2
    residency: tuple[Residency, ...]
    l1_peak_bytes: int
    l2_peak_bytes: int
    l2_bound_bytes: int
    l3_bytes: int
    exposed_fetch_cycles: int

    @property
    def cycles(self) -> int:
        """Return the modelled cycles of one inference."""
        return sum(stage.cycles.total for stage in self.stages) + self.exposed_fetch_cycles


MemoryName = Literal["l1", "l2", "l3"]
