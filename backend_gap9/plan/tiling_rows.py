"""The tiles of a row stage, as a problem: rows per tile, channels per tile, buffers per input."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.grid import SPLIT, best_split
from tmc.backend_gap9.kernels.linear import HEAD_CHANNELS, LinearJob, job_costs, job_of
from tmc.backend_gap9.kernels.record import Kernel
from tmc.backend_gap9.kernels.table import form_of, record_of
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.column_runs import column_runs
from tmc.backend_gap9.plan.job_runs import job_before, job_behind
from tmc.backend_gap9.plan.l1_buffers import (
    L1Needs,
    channel_source,
    input_pitch,
    is_transposed,
    needed_bytes,
    row_buffers,
    row_inputs,
    row_pitch,
    stored_in_place,
    streamed_bytes,
    sums_bytes,
    weight_pitch_of,
    whole_stored,
)
from tmc.backend_gap9.plan.plan import RowTiling
from tmc.backend_gap9.plan.stage_tiles import SmallestTiles, TiledStage
from tmc.backend_gap9.plan.tile_problem import InputCost, RowChoice, StepCost, TileChoice, TileProblem
from tmc.backend_gap9.plan.tile_solution import solved
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.plan.turn_cost import JobTile, TurnCost, job_turn_cost
from tmc.backend_gap9.program.expressions import tiles
from tmc.backend_gap9.stages.pack import line_blocks, weight_block
from tmc.backend_gap9.stages.staged import GraphStage, Staged, Storage
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op
from tmc.ir.integer.qlinear import QLinearAttrs

CHANNEL_STEP = 4  # what a block of the kernels takes at once


@dataclass(frozen=True, slots=True)
class RowTiles:
    """One row stage and what its tiles depend on."""

    staged: Staged
    stage: GraphStage
    target: Target

    remedy: ClassVar[str] = (
        "use fewer channels, or a narrower hidden layer: whole rows stay in L1 between these ops"
    )

    @property
    def graph(self) -> Graph:
        return self.staged.graph

    @property
    def storage(self) -> Storage:
        return self.staged.storage[self.stage.number]

    def best(self, solver: TileSolver) -> TiledStage | None:
        """Return the tiles of least modelled cycles, or None if none fit."""
        problem = self.problem()
        solution = solver.solve(problem)
        if solution is None:
            return None
        tiling = self.tiling(problem, solution.choice)
        return solved(problem, solution, tiling, row_buffers(self.staged, self.stage, tiling))

    def smallest(self) -> SmallestTiles:
        """Return the smallest legal tiles, whether they fit or not."""
        tiling = self.smallest_tiling()
        needs = row_buffers(self.staged, self.stage, tiling)
        return SmallestTiles(f"{tiling.rows} rows", needs, self.smallest_transfers())

    def problem(self) -> TileProblem:
        """Return the problem; it has no row choice where no tile fits."""
        choices = []
        for rows in self._row_tiles():
            choice = self._row_choice(rows)
            if choice is None:
                break
            choices.append(choice)
        return TileProblem(tuple(choices), self.last_readers(), self.target.l1_usable_bytes)

    def steps(self) -> tuple[Op, ...]:
        """Return the ops that are a step of their own: all but those that go with the linear before them."""
        return tuple(op for op in self.stage.ops if form_of(op) != "follower")

    def tiling(self, problem: TileProblem, solution: TileChoice) -> RowTiling:
        """Return the tiling that a solution stands for."""
        choice = problem.choices[solution.choice]
        channels = tuple(
            (op.output, costs[tile].tile)
            for op, costs, tile in zip(self.steps(), choice.steps, solution.tiles, strict=True)
            if form_of(op) == "channels"
        )
        inputs = tuple(zip(row_inputs(self.staged, self.stage), solution.buffers, strict=True))
        tile = dict(channels)
        splits = tuple(
            (op.output, self._split(op, choice.rows, tile[op.output]))
            for op in self.steps()
            if op.output in tile
        )
        return RowTiling(choice.rows, channels, inputs, tuple(each for each in splits if each[1]))

    def smallest_tiling(self) -> RowTiling:
        """Return the smallest legal tiling, whether it fits or not."""
        rows = self._row_tiles()[0]
        channels = tuple(
            (op.output, self._channel_tiles(op, rows)[0]) for op in self.steps() if form_of(op) == "channels"
        )
        inputs = row_inputs(self.staged, self.stage)
        return RowTiling(rows, channels, tuple((name, self._buffers(name, rows)[0]) for name in inputs))

    def smallest_transfers(self) -> tuple[tuple[str, int], ...]:
        """Return every kind of transfer that the smallest tiling makes, by value, with its bytes."""
        tiling = self.smallest_tiling()
        found = [(name, tiling.rows * self._pitch(name)) for name, _ in tiling.input_buffers]
        for op in self.steps():
            if form_of(op) != "channels":
                continue
            channels = tiling.channels_of(op.output)
            found.append((weight_block(self.graph, op), channels * self._weight_pitch(op)))
            follower = self._streamed(op)
            if follower is not None:
                size = streamed_bytes(self.staged, follower, tiling.rows, channels)
                found.append((follower.output, size))
        found += [(value, tiling.rows * self._home_pitch(value)) for value in self._whole_stored()]
        return (*found, ("tables", self._tables_bytes()))

    def _row_tiles(self) -> tuple[int, ...]:
        """Return the legal numbers of rows: such as cores share evenly, or the accelerator takes at once."""
        sizes = set(tile_sizes(self.stage.rows, self.target.cores))
        if any(job_of(self.graph, op) for op in self.stage.ops if form_of(op) == "channels"):
            sizes |= set(tile_sizes(self.stage.rows, job_costs(self.target).rows))
        return tuple(sorted(sizes))

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

    def _row_choice(self, rows: int) -> RowChoice | None:
        """Return a number of rows with everything that fits with it, or None if nothing does."""
        stage, target = self.stage, self.target
        limit = target.dma.max_bytes
        names = row_inputs(self.staged, stage)
        smallest = self._smallest_buffers(rows)
        wholes = [self._home_pitch(value) for value in self._whole_stored()]
        moved = (*(rows * self._pitch(name) for name in names), *(rows * pitch for pitch in wholes))
        if needed_bytes(smallest) > target.l1_usable_bytes or max((*moved, self._tables_bytes())) > limit:
            return None
        steps = []
        for op in self.steps():
            costs = tuple(self._step_cost(op, rows, tile) for tile in self._channel_tiles(op, rows))
            allowed = tuple(cost for cost in costs if max(cost.operand_bytes, cost.result_bytes) <= limit)
            if not allowed:
                return None
            steps.append(allowed)
        turns = self._turns(rows)
        loads = [[dma_cycles(target, count * self._pitch(name)) for count in turns] for name in names]
        stores = [[dma_cycles(target, count * pitch) for count in turns] for pitch in wholes]
        tables = dma_cycles(target, self._tables_bytes()) if self._tables_bytes() else 0
        fixed = needed_bytes(tuple(each for each in smallest if each.role == "fixed"))
        return RowChoice(
            rows=rows,
            fixed_bytes=fixed,
            dma_cycles=sum(map(sum, loads)) + sum(map(sum, stores)) + tables,
            exposed_cycles=sum(load[0] for load in loads) + sum(store[-1] for store in stores) + tables,
            ahead_cycles=sum(sum(store[:-1]) for store in stores),
            inputs=tuple(
                InputCost(word_up(rows * self._pitch(name)), sum(load[1:]), self._buffers(name, rows))
                for name, load in zip(names, loads, strict=True)
            ),
            steps=tuple(steps),
        )

    def _step_cost(self, op: Op, rows: int, tile: int) -> StepCost:
        """Return what an op costs with these rows and channels per tile."""
        turns = self._turns(rows)
        if form_of(op) == "rows":
            channels = self.graph.types[op.output].shape[1]
            compute = [self._call_cycles(op, count, channels, 0) for count in turns]
            return StepCost(
                tile=0,
                compute_cycles=sum(compute),
                dma_cycles=0,
                exposed_cycles=0,
                hiding_cycles=sum(compute[:-1]),
            )
        split = self._split(op, rows, tile)
        first, rest = self._turn_cost(op, turns[0], tile, split), len(turns) - 1
        last = first if turns[-1] == turns[0] else self._turn_cost(op, turns[-1], tile, split)
        linears = [each for each in self.stage.ops if form_of(each) == "channels"]
        channels = self.graph.types[op.inputs[1]].shape[0]
        ends = 0
        if op is linears[0]:
            ends += dma_cycles(self.target, tile * self._weight_pitch(op))
        if op is linears[-1] and self._streamed(op) is not None:
            ends += self._store_cycles(op, turns[-1], channels - (tiles(channels, tile) - 1) * tile)
        follower = self._streamed(op)
        dma, exposed = rest * first.dma + last.dma, rest * first.exposed + last.exposed
        jobs = rest * first.jobs + last.jobs
        return StepCost(
            tile=tile,
            compute_cycles=rest * first.compute + last.compute,
            dma_cycles=dma,
            # Behind the last tile nothing is loaded.
            exposed_cycles=min(exposed + ends, dma + jobs),
            hiding_cycles=rest * first.slack,
            job_cycles=jobs,
            operand_bytes=tile * self._weight_pitch(op),
            result_bytes=0
            if follower is None
            else word_up(streamed_bytes(self.staged, follower, rows, tile)),
            sums_bytes=word_up(sums_bytes(self.graph, op, rows, tile)),
        )

    def _turn_cost(self, op: Op, rows: int, tile: int, split: int) -> TurnCost:
        """Return what all channel tiles of a linear cost in one turn."""
        job = job_of(self.graph, op)
        if job is not None:
            return self._job_turn_cost(op, job, rows, tile, split)
        channels = self.graph.types[op.inputs[1]].shape[0]
        count = tiles(channels, tile)
        whole = self._tile_cost(op, rows, tile, split)
        edge = channels - (count - 1) * tile
        last = whole if edge == tile else self._tile_cost(op, rows, edge, split)
        return TurnCost(
            *((count - 1) * each + final for each, final in zip(whole.figures(), last.figures(), strict=True))
        )

    def _job_turn_cost(self, op: Op, job: LinearJob, rows: int, tile: int, split: int) -> TurnCost:
        """Return what all channel tiles of a linear on the accelerator cost in one turn."""
        channels = self.graph.types[op.inputs[1]].shape[0]
        count = tiles(channels, tile)
        edge = channels - (count - 1) * tile
        whole, last = (self._job_tile(op, job, rows, size, split) for size in (tile, edge))
        return job_turn_cost(
            (*[whole] * (count - 1), last),
            self.target.calls.job_cycles,
            follows=job_before(self.staged, self.stage, op) is not None,
            leads=job_behind(self.staged, self.stage, op) is not None,
        )

    def _job_tile(self, op: Op, job: LinearJob, rows: int, channels: int, split: int) -> JobTile:
        numbers = self._numbers(op, rows, channels)
        finish = 0
        if job.epilogue is not None:
            finish += call_cycles(self.target, job.epilogue, {**numbers, SPLIT: split})
            numbers[HEAD_CHANNELS] = channels
        follower = self._follower(op)
        if follower is not None:
            finish += self._call_cycles(follower, rows, channels, 0)
        dma = dma_cycles(self.target, channels * self._weight_pitch(op))
        dma += self._store_cycles(op, rows, channels)
        return JobTile(ceil(job.kernel.core_cycles(self.target, numbers)), dma, finish)

    def _follower(self, op: Op) -> Op | None:
        """Return the op that follows each channel tile of a linear, if one does."""
        if op.output not in self.storage.per_tile:
            return None
        return next(each for each in self.stage.ops if op.output in each.inputs)

    def _tile_cost(self, op: Op, rows: int, channels: int, split: int) -> TurnCost:
        compute = self._call_cycles(op, rows, channels, split)
        follower = self._follower(op)
        if follower is not None:
            compute += self._call_cycles(follower, rows, channels, 0)
        dma = dma_cycles(self.target, channels * self._weight_pitch(op))
        dma += self._store_cycles(op, rows, channels)
        return TurnCost(compute, dma, max(0, dma - compute), max(0, compute - dma))

    def _call_cycles(self, op: Op, rows: int, channels: int, split: int) -> int:
        """Return the cycles of an op's call for a tile, or of its calls for each run of columns."""
        known = record_of(op.kind).numbers(self.graph, op)
        runs = column_runs(self.staged, self.stage, op)
        if runs:
            return sum(
                call_cycles(self.target, each.run.kernel, {**known, **each.numbers(), "rows": rows})
                for each in runs
            )
        kernel, numbers = self._call(op, rows, channels)
        return call_cycles(self.target, kernel, {**numbers, SPLIT: split})

    def _split(self, op: Op, rows: int, channels: int) -> int:
        """Return how cores share a tile of a linear at best, or what a job leaves of it."""
        job = job_of(self.graph, op)
        if job is not None:
            numbers = self._numbers(op, rows, channels)
            return 0 if job.epilogue is None else best_split(self.target, job.epilogue, numbers)
        return best_split(self.target, *self._call(op, rows, channels))

    def _call(self, op: Op, rows: int, channels: int) -> tuple[Kernel, dict[str, int]]:
        """Return the kernel of an op and its numbers for a tile."""
        (kernel,) = record_of(op.kind).chosen(self.graph, op)
        return kernel, self._numbers(op, rows, channels)

    def _numbers(self, op: Op, rows: int, channels: int) -> dict[str, int]:
        known = record_of(op.kind).numbers(self.graph, op)
        return {HEAD_CHANNELS: channels, **known, "rows": rows, "channels": channels}

    def _store_cycles(self, op: Op, rows: int, channels: int) -> int:
        """Return the cycles of storing one channel tile, 0 if it stays in L1."""
        follower = self._streamed(op)
        if follower is None:
            return 0
        layout = self.staged.layouts[follower.output]
        if is_transposed(follower):
            return dma_cycles(self.target, streamed_bytes(self.staged, follower, rows, channels), channels)
        size = streamed_bytes(self.staged, follower, rows, channels)
        return dma_cycles(self.target, size, rows if size < rows * layout.pitch_bytes else 1)

    def _streamed(self, op: Op) -> Op | None:
        """Return the op whose channel tiles leave for L2 with those of a linear: itself or its rotation."""
        for each in self.stage.ops:
            if each.output in self.storage.streamed and channel_source(self.stage, each) is op:
                return each
        return None

    def _channel_tiles(self, op: Op, rows: int) -> tuple[int, ...]:
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

    def _buffers(self, name: str, rows: int) -> tuple[int, ...]:
        """Return how many buffers an input may have: one, where there is no next tile to load ahead."""
        if rows >= self.stage.rows:
            return (1,)
        return (2,) if name in stored_in_place(self.staged, self.stage) else (1, 2)

    def _smallest_buffers(self, rows: int) -> L1Needs:
        smallest = self.smallest_tiling()
        inputs = tuple((name, self._buffers(name, rows)[0]) for name, _ in smallest.input_buffers)
        tiling = RowTiling(rows, smallest.channels, inputs)
        return row_buffers(self.staged, self.stage, tiling)

    def _turns(self, rows: int) -> tuple[int, ...]:
        """Return the rows of every row tile."""
        return tuple(min(rows, self.stage.rows - start) for start in range(0, self.stage.rows, rows))

    def _whole_stored(self) -> tuple[str, ...]:
        return whole_stored(self.staged, self.stage)

    def _home_pitch(self, value: str) -> int:
        return row_pitch(self.staged, self.stage, value)

    def _pitch(self, name: str) -> int:
        return input_pitch(self.staged, self.stage, name)

    def _weight_pitch(self, op: Op) -> int:
        return weight_pitch_of(self.staged, op)

    def _tables_bytes(self) -> int:
        return self.staged.packed[self.stage.number].tables_bytes


def tile_sizes(whole: int, step: int) -> tuple[int, ...]:
    """Return the multiples of a step below the whole, and the whole."""
    return (*range(step, whole, step), whole)


def even_tiles(whole: int, step: int) -> tuple[int, ...]:
    """Return the sizes that cut a whole into equal tiles, rounded up to the step, rising; and the whole."""
    sizes = {tiles(tiles(whole, count), step) * step for count in range(1, whole // step + 1)}
    return (*sorted(size for size in sizes if size < whole), whole)
