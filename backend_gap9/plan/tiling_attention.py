"""The tiles of an attention stage, as a problem: query rows, keys of K, channels of V transposed.

The two halves of a turn are two steps that share the double buffer of K and V; Q comes, with the lines of a
bias that differs by query, and the result leaves through double buffers of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tmc.backend_gap9.kernels.attention import (
    MOST_HEADS,
    attention_on_ne16,
    bias_of,
    mask_of,
    scores_of,
    softmax_of,
    values_of,
)
from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.record import Kernel
from tmc.backend_gap9.plan.l1_buffers import attention_buffers, bias_line_bytes, mask_bytes, needed_bytes
from tmc.backend_gap9.plan.plan import AttentionTiling
from tmc.backend_gap9.plan.row_sizes import CHANNEL_STEP, even_tiles, tile_sizes
from tmc.backend_gap9.plan.stage_tiles import SmallestTiles, StageTiles, TiledStage
from tmc.backend_gap9.plan.tile_problem import InputCost, RowChoice, StepCost, TileChoice, TileProblem
from tmc.backend_gap9.plan.tile_solution import solved
from tmc.backend_gap9.plan.tiling_attention_jobs import KEY_STEP, AttentionJobTiles
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.program.expressions import tiles
from tmc.backend_gap9.stages.pack import line_blocks
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.backend_gap9.target.target import Target


def attention_tiles(staged: Staged, stage: GraphStage, target: Target) -> StageTiles:
    """Return the tiles of an attention stage, with jobs of the accelerator or without."""
    jobs = attention_on_ne16(staged.graph, stage.op)
    return (AttentionJobTiles if jobs else AttentionTiles)(staged, stage, target)


@dataclass(frozen=True, slots=True)
class AttentionTiles:
    """One attention stage and what its tiles depend on."""

    staged: Staged
    stage: GraphStage
    target: Target

    remedy: ClassVar[str] = (
        "use fewer tokens, or heads of fewer channels: a row of scores takes 2 bytes for each token"
    )

    def best(self, solver: TileSolver) -> TiledStage | None:
        """Return the tiles of least modelled cycles, or None if none fit."""
        problem = self.problem()
        solution = solver.solve(problem)
        if solution is None:
            return None
        tiling = self.tiling(problem, solution.choice)
        return solved(problem, solution, tiling, attention_buffers(self.staged, self.stage, tiling))

    def smallest(self) -> SmallestTiles:
        """Return the smallest legal tiles, whether they fit or not."""
        tiling = self.smallest_tiling()
        needs = attention_buffers(self.staged, self.stage, tiling)
        return SmallestTiles(f"{tiling.rows} rows", needs, self.smallest_transfers())

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Return heads, query rows, keys and head width."""
        heads, rows, width = self.staged.graph.types[self.stage.op.inputs[0]].shape
        return heads, rows, self.staged.graph.types[self.stage.op.inputs[1]].shape[1], width

    @property
    def _head_bytes(self) -> int:
        """Bytes of the result that a query of one head makes."""
        return self.sizes[3] * self.staged.graph.types[self.stage.op.output].dtype.size_bytes

    def problem(self) -> TileProblem:
        """Return the problem; it has no row choice where no tile fits."""
        choices = []
        for rows in tile_sizes(self.sizes[1], self.target.cores):
            choice = self._row_choice(rows)
            if choice is None:
                break
            choices.append(choice)
        choices += filter(None, (self._row_choice(self.sizes[1], heads) for heads in self._several_heads()))
        return TileProblem(tuple(choices), (0,) * len(self._line_bytes()), self.target.l1_usable_bytes)

    def tiling(self, problem: TileProblem, solution: TileChoice) -> AttentionTiling:
        """Return the tiling that a solution stands for."""
        choice = problem.choices[solution.choice]
        keys, channels = (costs[tile].tile for costs, tile in zip(choice.steps, solution.tiles, strict=True))
        return AttentionTiling(choice.rows, keys, channels, choice.heads)

    def smallest_tiling(self) -> AttentionTiling:
        """Return the smallest legal tiling, whether it fits or not."""
        _, rows, keys, width = self.sizes
        return AttentionTiling(
            tile_sizes(rows, self.target.cores)[0],
            even_tiles(keys, KEY_STEP)[0],
            even_tiles(width, CHANNEL_STEP)[0],
        )

    def smallest_transfers(self) -> tuple[tuple[str, int], ...]:
        """Return every kind of transfer that the smallest tiling makes, by value, with its bytes."""
        tiling, (q, k, vt) = self.smallest_tiling(), self.stage.op.inputs[:3]
        lines = line_blocks(self.staged.graph, self.stage, self.stage.op)
        loaded = zip((q, *lines), self._line_bytes(), strict=True)
        mask = mask_of(self.staged.graph, self.stage.op)
        return (
            *((name, tiling.rows * line_bytes) for name, line_bytes in loaded),
            *(() if mask is None else ((mask, mask_bytes(self.staged, self.stage)),)),
            (k, tiling.keys * self._pitch(1)),
            (vt, tiling.channels * self._pitch(2)),
            (self.stage.op.output, tiling.rows * self._head_bytes),
            ("tables", self._tables_bytes()),
        )

    def _several_heads(self) -> tuple[int, ...]:
        """Return how many heads a turn may have at once, beside one."""
        heads, _, _, width = self.sizes
        if bias_of(self.stage.op) is not None or width % CHANNEL_STEP:
            return ()
        return tuple(count for count in range(2, MOST_HEADS + 1) if heads % count == 0)

    def _row_choice(self, rows: int, heads: int = 1) -> RowChoice | None:
        """Return what tiles of so many rows cost, if they fit; several heads at once have whole tiles."""
        target, limit = self.target, self.target.dma.max_bytes
        heads_total, _, keys, width = self.sizes
        smallest = self.smallest_tiling() if heads == 1 else AttentionTiling(rows, keys, width)
        tiling = AttentionTiling(rows, smallest.keys, smallest.channels, heads)
        buffers = attention_buffers(self.staged, self.stage, tiling)
        lines = tuple(heads * each for each in self._line_bytes())
        moved = (*(rows * each for each in lines), rows * heads * self._head_bytes, self._tables_bytes())
        if needed_bytes(buffers) > target.l1_usable_bytes or max(moved) > limit:
            return None
        steps = (
            tuple(
                self._scores(rows, tile, heads)
                for tile in even_tiles(keys, KEY_STEP)
                if heads == 1 or tile == keys
            ),
            tuple(
                self._values(rows, tile, heads)
                for tile in even_tiles(width, CHANNEL_STEP)
                if heads == 1 or tile == width
            ),
        )
        allowed = tuple(tuple(cost for cost in costs if cost.operand_bytes <= limit) for costs in steps)
        if not all(allowed):
            return None
        turns = self._turns(rows) * (heads_total // heads)
        loads = [[dma_cycles(target, count * each) for count in turns] for each in lines]
        stores = [dma_cycles(target, count * heads * self._head_bytes, count) for count in turns]
        tables = dma_cycles(target, self._tables_bytes())
        mask = mask_bytes(self.staged, self.stage)
        tables += dma_cycles(target, mask) if mask else 0
        fixed = needed_bytes(tuple(each for each in buffers if each.role == "fixed"))
        # An input has two buffers even where there is one turn: the schedule knows no other form.
        inputs = (
            InputCost(rows * each, sum(cycles[1:]), (2,)) for each, cycles in zip(lines, loads, strict=True)
        )
        return RowChoice(
            rows=rows,
            fixed_bytes=fixed,
            dma_cycles=sum(map(sum, loads)) + sum(stores) + tables,
            exposed_cycles=sum(cycles[0] for cycles in loads) + stores[-1] + tables,
            ahead_cycles=sum(stores[:-1]),
            inputs=tuple(inputs),
            steps=allowed,
            heads=heads,
        )

    def _scores(self, rows: int, tile: int, heads: int) -> StepCost:
        """Return what scores and softmax cost with these query rows and keys per tile of K."""
        _, _, keys, width = self.sizes
        scores = scores_of(self.staged.graph, self.stage.op)
        return self._step_cost(
            rows,
            tile,
            keys,
            1,
            heads,
            lambda count, size: self._call_cycles(scores, rows=count, keys=size, width=width, heads=heads),
            lambda count: self._call_cycles(softmax_of(self.stage.op), rows=count, keys=keys, heads=heads),
        )

    def _values(self, rows: int, tile: int, heads: int) -> StepCost:
        """Return what the weighted means cost with these query rows and channels per tile of V transposed."""
        _, _, keys, width = self.sizes
        values = values_of(self.staged.graph, self.stage.op)
        return self._step_cost(
            rows,
            tile,
            width,
            2,
            heads,
            lambda count, size: self._call_cycles(values, rows=count, keys=keys, channels=size, heads=heads),
            lambda count: 0,
        )

    def _step_cost(
        self,
        rows: int,
        tile: int,
        whole: int,
        operand: int,
        heads: int,
        tile_cycles: Callable[[int, int], int],
        turn_cycles: Callable[[int], int],
    ) -> StepCost:
        turns, times_heads, pitch = self._turns(rows), self.sizes[0] // heads, heads * self._pitch(operand)
        edge = whole - (tiles(whole, tile) - 1) * tile
        pieces = ((tiles(whole, tile) - 1, tile), (1, edge))
        compute = dma = exposed = hiding = last_hiding = 0
        for count in turns:
            last_hiding = turn_cycles(count)
            compute += last_hiding
            for times, size in pieces:
                cycles, moved = tile_cycles(count, size), dma_cycles(self.target, size * pitch)
                compute, dma = compute + times * cycles, dma + times * moved
                exposed += times * max(0, moved - cycles)
                last_hiding += times * max(0, cycles - moved)
            hiding += last_hiding
        first = dma_cycles(self.target, tile * pitch) if operand == 1 else 0
        return StepCost(
            tile=tile,
            compute_cycles=times_heads * compute,
            dma_cycles=times_heads * dma,
            # None behind the last tile.
            exposed_cycles=min(times_heads * exposed + first, times_heads * dma),
            hiding_cycles=times_heads * hiding - last_hiding,
            operand_bytes=tile * pitch,
        )

    def _call_cycles(self, kernel: Kernel, **numbers: int) -> int:
        return call_cycles(self.target, kernel, numbers)

    def _turns(self, rows: int) -> tuple[int, ...]:
        """Return the rows of every query tile of one head."""
        whole = self.sizes[1]
        return tuple(min(rows, whole - start) for start in range(0, whole, rows))

    def _line_bytes(self) -> tuple[int, ...]:
        """Return the bytes that come with each query: its row, its line of a bias that has one for each."""
        bias_bytes = bias_line_bytes(self.staged, self.stage)
        return (self._pitch(0), bias_bytes) if bias_bytes else (self._pitch(0),)

    def _pitch(self, operand: int) -> int:
        return self.staged.layouts[self.stage.op.inputs[operand]].pitch_bytes

    def _tables_bytes(self) -> int:
        return self.staged.packed[self.stage.number].tables_bytes
