"""The legal tiles of a row stage: rows, channels, buffers; the smallest ones, and what they need."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.linear import job_costs, job_of
from tmc.backend_gap9.kernels.table import form_of
from tmc.backend_gap9.plan.job_runs import Ahead, ahead_of
from tmc.backend_gap9.plan.l1_buffers import (
    L1Needs,
    channel_source,
    input_pitch,
    row_buffers,
    row_inputs,
    row_pitch,
    stored_in_place,
    streamed_bytes,
    weight_pitch_of,
    whole_stored,
)
from tmc.backend_gap9.plan.plan import RowTiling
from tmc.backend_gap9.program.expressions import tiles
from tmc.backend_gap9.stages.pack import line_blocks, weight_block
from tmc.backend_gap9.stages.staged import GraphStage, Staged, Storage
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op
from tmc.ir.integer.qlinear import QLinearAttrs

CHANNEL_STEP = 4  # what a block of the kernels takes at once


@dataclass(frozen=True, slots=True)
class RowSizes:
    """One row stage and what its tiles depend on."""

    staged: Staged
    stage: GraphStage
    target: Target

    @property
    def graph(self) -> Graph:
        return self.staged.graph

    @property
    def storage(self) -> Storage:
        return self.staged.storage[self.stage.number]

    def steps(self) -> tuple[Op, ...]:
        """Return the ops that are a step of their own: all but those that go with the linear before them."""
        return tuple(op for op in self.stage.ops if form_of(op) != "follower")

    def row_tiles(self) -> tuple[int, ...]:
        """Return the legal numbers of rows: such as cores share evenly, or the accelerator takes at once."""
        sizes = set(tile_sizes(self.stage.rows, self.target.cores))
        if any(job_of(self.graph, op) for op in self.stage.ops if form_of(op) == "channels"):
            sizes |= set(tile_sizes(self.stage.rows, job_costs(self.target).rows))
        return tuple(sorted(sizes))

    def channel_tiles(self, op: Op, rows: int) -> tuple[int, ...]:
        """Return the legal channel tiles of a step: one of 0 where it has none."""
        if form_of(op) != "channels":
            return (0,)
        channels = self.graph.types[op.inputs[1]].shape[0]
        reader = next((each for each in self.stage.ops if op.output in each.inputs), None)
        if reader is not None and form_of(reader) == "follower":
            return (self.graph.types[reader.output].shape[2],)
        if isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "heads":
            head = channels // op.attrs.heads
            # All heads lie one behind the other where a tile has all rows; no block of channels is in two.
            return (head, channels) if rows == self.stage.rows and head % CHANNEL_STEP == 0 else (head,)
        if job_of(self.graph, op) is not None:
            steps = {
                *even_tiles(channels, CHANNEL_STEP),
                *even_tiles(channels, job_costs(self.target).channels),
            }
            return tuple(sorted(steps))
        return even_tiles(channels, CHANNEL_STEP)

    def turns(self, rows: int) -> tuple[int, ...]:
        """Return the rows of every row tile."""
        return tuple(min(rows, self.stage.rows - start) for start in range(0, self.stage.rows, rows))

    def buffer_counts(self, name: str, rows: int, ahead: bool) -> tuple[int, ...]:
        """Return how many buffers an input may have: one, where there is no next tile to load ahead."""
        if rows >= self.stage.rows:
            return (1,)
        made = ahead_of(self.staged, self.stage) if ahead else None
        both = name in stored_in_place(self.staged, self.stage) or (made is not None and made.input == name)
        return (2,) if both else (1, 2)

    def aheads(self, rows: int) -> tuple[bool, ...]:
        """Return whether the first op may run ahead: not, or if there is a next row tile perhaps."""
        return (False, True) if rows < self.stage.rows and ahead_of(self.staged, self.stage) else (False,)

    def slice_rows(self, made: Ahead, rows: int, tile: int) -> int:
        """Return the rows of what runs ahead beside each job, such as cores share evenly."""
        count, cores = tiles(self.graph.types[made.beside.inputs[1]].shape[0], tile), self.target.cores
        return tiles(tiles(rows, count), cores) * cores

    def follower_of(self, op: Op) -> Op | None:
        """Return the op that follows each channel tile of a linear, if one does."""
        if op.output not in self.storage.per_tile:
            return None
        return next(each for each in self.stage.ops if op.output in each.inputs)

    def streamed_by(self, op: Op) -> Op | None:
        """Return the op whose channel tiles leave for L2 with those of a linear: itself or its rotation."""
        for each in self.stage.ops:
            if each.output in self.storage.streamed and channel_source(self.stage, each) is op:
                return each
        return None

    def whole_stored(self) -> tuple[str, ...]:
        return whole_stored(self.staged, self.stage)

    def home_pitch(self, value: str) -> int:
        return row_pitch(self.staged, self.stage, value)

    def input_pitch_of(self, name: str) -> int:
        return input_pitch(self.staged, self.stage, name)

    def weight_pitch(self, op: Op) -> int:
        return weight_pitch_of(self.staged, op)

    def tables_bytes(self) -> int:
        return self.staged.packed[self.stage.number].tables_bytes

    def smallest_tiling(self) -> RowTiling:
        """Return the smallest legal tiling, whether it fits or not."""
        rows = self.row_tiles()[0]
        channels = tuple(
            (op.output, self.channel_tiles(op, rows)[0]) for op in self.steps() if form_of(op) == "channels"
        )
        inputs = row_inputs(self.staged, self.stage)
        return RowTiling(
            rows, channels, tuple((name, self.buffer_counts(name, rows, False)[0]) for name in inputs)
        )

    def smallest_transfers(self) -> tuple[tuple[str, int], ...]:
        """Return every kind of transfer that the smallest tiling makes, by value, with its bytes."""
        tiling = self.smallest_tiling()
        found = [(name, tiling.rows * self.input_pitch_of(name)) for name, _ in tiling.input_buffers]
        for op in self.steps():
            if form_of(op) != "channels":
                continue
            channels = tiling.channels_of(op.output)
            found.append((weight_block(self.graph, op), channels * self.weight_pitch(op)))
            follower = self.streamed_by(op)
            if follower is not None:
                size = streamed_bytes(self.staged, follower, tiling.rows, channels)
                found.append((follower.output, size))
        found += [(value, tiling.rows * self.home_pitch(value)) for value in self.whole_stored()]
        return (*found, ("tables", self.tables_bytes()))

    def smallest_buffers(self, rows: int, ahead: bool) -> L1Needs:
        smallest = self.smallest_tiling()
        inputs = tuple((name, self.buffer_counts(name, rows, ahead)[0]) for name, _ in smallest.input_buffers)
        tiling = RowTiling(rows, smallest.channels, inputs, ahead_rows=rows if ahead else 0)
        return row_buffers(self.staged, self.stage, tiling)

    def last_readers(self) -> tuple[int, ...]:
        """Return for each input the number of the last step that touches its tile."""
        steps = self.steps()
        last = []
        for name in row_inputs(self.staged, self.stage):
            readers = [
                channel_source(self.stage, op)
                for op in self.stage.ops
                if any(self.storage.home.get(value) == name for value in (*op.inputs, op.output))
                or name in line_blocks(self.graph, self.stage, op).values()
            ]
            last.append(max(steps.index(op) for op in readers))
        return tuple(last)


def tile_sizes(whole: int, step: int) -> tuple[int, ...]:
    """Return the multiples of a step below the whole, and the whole."""
    return (*range(step, whole, step), whole)


def even_tiles(whole: int, step: int) -> tuple[int, ...]:
    """Return the sizes that cut a whole into equal tiles, rounded up to the step, rising; and the whole."""
    sizes = {tiles(tiles(whole, count), step) * step for count in range(1, whole // step + 1)}
    return (*sorted(size for size in sizes if size < whole), whole)
