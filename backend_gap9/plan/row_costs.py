"""What a tile of a row stage costs: the calls of cores, transfers, jobs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.grid import SPLIT, best_split
from tmc.backend_gap9.kernels.linear import HEAD_CHANNELS, LinearJob, idle_cycles, job_costs, job_of
from tmc.backend_gap9.kernels.record import Kernel
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.plan.column_runs import column_runs
from tmc.backend_gap9.plan.job_runs import Ahead, job_before, job_behind
from tmc.backend_gap9.plan.l1_buffers import (
    is_transposed,
    streamed_bytes,
)
from tmc.backend_gap9.plan.row_sizes import RowSizes
from tmc.backend_gap9.plan.turn_cost import JobTile, TurnCost, beside, job_turn_cost
from tmc.backend_gap9.program.expressions import tiles
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.ir.graph import Op


@dataclass(frozen=True, slots=True)
class RowCosts(RowSizes):
    """The costs of a row stage for any tiles."""

    def turn_cost(self, op: Op, rows: int, tile: int, split: int, more: tuple[int, ...]) -> TurnCost:
        """Return what all channel tiles of a linear cost in one turn. more: of cores, beside each job."""
        job = job_of(self.graph, op)
        if job is not None:
            return self.job_turn_cost(op, job, rows, tile, split, more)
        channels = self.graph.types[op.inputs[1]].shape[0]
        count = tiles(channels, tile)
        whole = self.tile_cost(op, rows, tile, split)
        edge = channels - (count - 1) * tile
        last = whole if edge == tile else self.tile_cost(op, rows, edge, split)
        return TurnCost(
            *((count - 1) * each + final for each, final in zip(whole.figures(), last.figures(), strict=True))
        )

    def job_turn_cost(
        self, op: Op, job: LinearJob, rows: int, tile: int, split: int, more: tuple[int, ...]
    ) -> TurnCost:
        """Return what all channel tiles of a linear on the accelerator cost in one turn."""
        channels = self.graph.types[op.inputs[1]].shape[0]
        count = tiles(channels, tile)
        edge = channels - (count - 1) * tile
        whole, last = (self.job_tile(op, job, rows, size, split) for size in (tile, edge))
        return job_turn_cost(
            beside((*[whole] * (count - 1), last), more),
            job_costs(self.target),
            self.target.calls.job_cycles,
            follows=job_before(self.staged, self.stage, op) is not None,
            leads=job_behind(self.staged, self.stage, op) is not None,
        )

    def job_tile(self, op: Op, job: LinearJob, rows: int, channels: int, split: int) -> JobTile:
        numbers = self.numbers_of(op, rows, channels)
        finish = 0
        if job.epilogue is not None:
            finish += call_cycles(self.target, job.epilogue, {**numbers, SPLIT: split})
            numbers[HEAD_CHANNELS] = channels
        follower = self.follower_of(op)
        if follower is not None:
            finish += self.call_cycles(follower, rows, channels, 0)
        dma = dma_cycles(self.target, channels * self.weight_pitch(op))
        dma += self.store_cycles(op, rows, channels)
        return JobTile(
            ceil(job.kernel.core_cycles(self.target, numbers)), dma, finish, idle_cycles(self.target, job)
        )

    def slice_cycles(self, made: Ahead | None, rows: int, tile: int, next_rows: int) -> tuple[int, ...]:
        """Return the cycles of each slice of the next row tile of what runs ahead."""
        if made is None or next_rows == 0:
            return ()
        each, channels = self.slice_rows(made, rows, tile), self.graph.types[made.op.output].shape[1]
        slices = (min(each, next_rows - first) for first in range(0, next_rows, each))
        return tuple(self.call_cycles(made.op, taken, channels, 0) for taken in slices)

    def tile_cost(self, op: Op, rows: int, channels: int, split: int) -> TurnCost:
        compute = self.call_cycles(op, rows, channels, split)
        follower = self.follower_of(op)
        if follower is not None:
            compute += self.call_cycles(follower, rows, channels, 0)
        dma = dma_cycles(self.target, channels * self.weight_pitch(op))
        dma += self.store_cycles(op, rows, channels)
        return TurnCost(compute, dma, max(0, dma - compute), max(0, compute - dma))

    def call_cycles(self, op: Op, rows: int, channels: int, split: int) -> int:
        """Return the cycles of an op's call for a tile, or of its calls for each run of columns."""
        known = record_of(op.kind).numbers(self.graph, op)
        runs = column_runs(self.staged, self.stage, op)
        if runs:
            return sum(
                call_cycles(self.target, each.run.kernel, {**known, **each.numbers(), "rows": rows})
                for each in runs
            )
        kernel, numbers = self.kernel_and_numbers(op, rows, channels)
        return call_cycles(self.target, kernel, {**numbers, SPLIT: split})

    def best_split_of(self, op: Op, rows: int, channels: int) -> int:
        """Return how cores share a tile of a linear at best, or what a job leaves of it."""
        job = job_of(self.graph, op)
        if job is not None:
            numbers = self.numbers_of(op, rows, channels)
            return 0 if job.epilogue is None else best_split(self.target, job.epilogue, numbers)
        return best_split(self.target, *self.kernel_and_numbers(op, rows, channels))

    def kernel_and_numbers(self, op: Op, rows: int, channels: int) -> tuple[Kernel, dict[str, int]]:
        """Return the kernel of an op and its numbers for a tile."""
        (kernel,) = record_of(op.kind).chosen(self.graph, op)
        return kernel, self.numbers_of(op, rows, channels)

    def numbers_of(self, op: Op, rows: int, channels: int) -> dict[str, int]:
        known = record_of(op.kind).numbers(self.graph, op)
        return {HEAD_CHANNELS: channels, **known, "rows": rows, "channels": channels}

    def store_cycles(self, op: Op, rows: int, channels: int) -> int:
        """Return the cycles of storing one channel tile, 0 if it stays in L1."""
        follower = self.streamed_by(op)
        if follower is None:
            return 0
        layout = self.staged.layouts[follower.output]
        if is_transposed(follower):
            return dma_cycles(self.target, streamed_bytes(self.staged, follower, rows, channels), channels)
        size = streamed_bytes(self.staged, follower, rows, channels)
        return dma_cycles(self.target, size, rows if size < rows * layout.pitch_bytes else 1)
