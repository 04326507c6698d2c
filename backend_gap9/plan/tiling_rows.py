"""The tiles of a row stage, as a problem: rows per tile, channels per tile, buffers per input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tmc.backend_gap9.kernels.table import form_of
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.job_runs import ahead_of
from tmc.backend_gap9.plan.l1_buffers import (
    needed_bytes,
    row_buffers,
    row_inputs,
    streamed_bytes,
    sums_bytes,
)
from tmc.backend_gap9.plan.plan import RowTiling
from tmc.backend_gap9.plan.row_costs import RowCosts
from tmc.backend_gap9.plan.stage_tiles import SmallestTiles, TiledStage
from tmc.backend_gap9.plan.tile_problem import InputCost, RowChoice, StepCost, TileChoice, TileProblem
from tmc.backend_gap9.plan.tile_solution import solved
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.plan.turn_cost import total
from tmc.backend_gap9.program.expressions import tiles
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.ir.graph import Op


@dataclass(frozen=True, slots=True)
class RowTiles(RowCosts):
    """One row stage and its tiles."""

    remedy: ClassVar[str] = (
        "use fewer channels, or a narrower hidden layer: whole rows stay in L1 between these ops"
    )

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
        for rows in self.row_tiles():
            fitting = [self._row_choice(rows, ahead) for ahead in self.aheads(rows)]
            if fitting[0] is None:
                break
            choices += [choice for choice in fitting if choice is not None]
        return TileProblem(tuple(choices), self.last_readers(), self.target.l1_usable_bytes)

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
            (op.output, self.best_split_of(op, choice.rows, tile[op.output]))
            for op in self.steps()
            if op.output in tile
        )
        made = ahead_of(self.staged, self.stage)
        ahead_rows = 0
        if choice.ahead and made is not None:
            ahead_rows = self.slice_rows(made, choice.rows, tile[made.beside.output])
        return RowTiling(choice.rows, channels, inputs, tuple(each for each in splits if each[1]), ahead_rows)

    def _row_choice(self, rows: int, ahead: bool) -> RowChoice | None:
        """Return a number of rows with everything that fits with it, or None if nothing does.

        ahead: the first op runs a row tile ahead.
        """
        stage, target = self.stage, self.target
        limit = target.dma.max_bytes
        names = row_inputs(self.staged, stage)
        smallest = self.smallest_buffers(rows, ahead)
        wholes = [self.home_pitch(value) for value in self.whole_stored()]
        moved = (*(rows * self.input_pitch_of(name) for name in names), *(rows * pitch for pitch in wholes))
        if needed_bytes(smallest) > target.l1_usable_bytes or max((*moved, self.tables_bytes())) > limit:
            return None
        steps = []
        for op in self.steps():
            costs = tuple(self._step_cost(op, rows, tile, ahead) for tile in self.channel_tiles(op, rows))
            allowed = tuple(cost for cost in costs if max(cost.operand_bytes, cost.result_bytes) <= limit)
            if not allowed:
                return None
            steps.append(allowed)
        turns = self.turns(rows)
        loads = [[dma_cycles(target, count * self.input_pitch_of(name)) for count in turns] for name in names]
        stores = [[dma_cycles(target, count * pitch) for count in turns] for pitch in wholes]
        tables = dma_cycles(target, self.tables_bytes()) if self.tables_bytes() else 0
        fixed = needed_bytes(tuple(each for each in smallest if each.role == "fixed"))
        return RowChoice(
            rows=rows,
            fixed_bytes=fixed,
            dma_cycles=sum(map(sum, loads)) + sum(map(sum, stores)) + tables,
            exposed_cycles=sum(load[0] for load in loads) + sum(store[-1] for store in stores) + tables,
            ahead_cycles=sum(sum(store[:-1]) for store in stores),
            inputs=tuple(
                InputCost(
                    word_up(rows * self.input_pitch_of(name)),
                    sum(load[1:]),
                    self.buffer_counts(name, rows, ahead),
                )
                for name, load in zip(names, loads, strict=True)
            ),
            steps=tuple(steps),
            ahead=ahead,
        )

    def _step_cost(self, op: Op, rows: int, tile: int, ahead: bool) -> StepCost:
        """Return what an op costs with these rows and channels per tile."""
        turns, made = self.turns(rows), ahead_of(self.staged, self.stage) if ahead else None
        if form_of(op) == "rows":
            channels = self.graph.types[op.output].shape[1]
            computed = turns[:1] if made is not None and op is made.op else turns
            compute = [self.call_cycles(op, count, channels, 0) for count in computed]
            return StepCost(
                tile=0,
                compute_cycles=sum(compute),
                dma_cycles=0,
                exposed_cycles=0,
                hiding_cycles=sum(compute[:-1]),
            )
        split = self.best_split_of(op, rows, tile)
        # Of each turn: its rows, and those of the next one, of which something runs beside it.
        following = (*turns[1:], 0) if made is not None and op is made.beside else (0,) * len(turns)
        known = {
            each: self.turn_cost(op, each[0], tile, split, self.slice_cycles(made, rows, tile, each[1]))
            for each in dict.fromkeys(zip(turns, following, strict=True))
        }
        costs = [known[each] for each in zip(turns, following, strict=True)]
        whole = total(costs)
        linears = [each for each in self.stage.ops if form_of(each) == "channels"]
        channels = self.graph.types[op.inputs[1]].shape[0]
        ends = 0
        if op is linears[0]:
            ends += dma_cycles(self.target, tile * self.weight_pitch(op))
        if op is linears[-1] and self.streamed_by(op) is not None:
            ends += self.store_cycles(op, turns[-1], channels - (tiles(channels, tile) - 1) * tile)
        follower = self.streamed_by(op)
        return StepCost(
            tile=tile,
            compute_cycles=whole.compute,
            dma_cycles=whole.dma,
            # Behind the last tile nothing is loaded.
            exposed_cycles=min(whole.exposed + ends, whole.dma + whole.jobs),
            hiding_cycles=whole.slack - costs[-1].slack,
            job_cycles=whole.jobs,
            operand_bytes=tile * self.weight_pitch(op),
            result_bytes=0
            if follower is None
            else word_up(streamed_bytes(self.staged, follower, rows, tile)),
            sums_bytes=word_up(sums_bytes(self.graph, op, rows, tile)),
        )
