"""The tiles of an attention stage whose products the accelerator computes, as a problem.

K and V are packed once for each head, in tiles that come through one double buffer: two steps, whose compute
is the packing. To the second one belong the turns behind it (`kernels/attention_turns.py`), each of a tile of
query rows. Query rows and results travel through double buffers behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from tmc.backend_gap9.kernels.attention import PACK
from tmc.backend_gap9.kernels.attention_turns import (
    STREAM_BUFFERS,
    Turns,
    k_is_streamed,
    raw_room,
    streamed_turns_of,
    turns_of,
)
from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.linear import job_costs
from tmc.backend_gap9.kernels.ne16 import packed_pitch
from tmc.backend_gap9.plan.l1_buffers import attention_buffers, needed_bytes
from tmc.backend_gap9.plan.plan import AttentionTiling
from tmc.backend_gap9.plan.row_sizes import CHANNEL_STEP, even_tiles, tile_sizes
from tmc.backend_gap9.plan.stage_tiles import SmallestTiles, TiledStage
from tmc.backend_gap9.plan.tile_problem import InputCost, RowChoice, StepCost, TileProblem
from tmc.backend_gap9.plan.tile_solution import solved
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.program.expressions import tiles
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.backend_gap9.target.target import Target

KEY_STEP = 4


@dataclass(frozen=True, slots=True)
class AttentionJobTiles:
    """One attention stage and what its tiles depend on."""

    staged: Staged
    stage: GraphStage
    target: Target

    remedy: ClassVar[str] = (
        "use fewer tokens, or heads of fewer channels: keys and values of a head are in L1, and a row of "
        "scores takes 4 bytes for each token"
    )

    def best(self, solver: TileSolver) -> TiledStage | None:
        """Return the tiles of least modelled cycles, or None if none fit."""
        problem = self.problem()
        solution = solver.solve(problem)
        if solution is None:
            return None
        choice = problem.choices[solution.choice.choice]
        keys, channels = (
            costs[tile].tile for costs, tile in zip(choice.steps, solution.choice.tiles, strict=True)
        )
        tiling = AttentionTiling(choice.rows, keys, channels, streamed=self.streamed)
        return solved(problem, solution, tiling, attention_buffers(self.staged, self.stage, tiling))

    def smallest(self) -> SmallestTiles:
        """Return the smallest legal tiles, whether they fit or not."""
        tiling = self._smallest_tiling()
        needs = attention_buffers(self.staged, self.stage, tiling)
        q, k, vt = self.stage.op.inputs[:3]
        transfers = (
            (q, tiling.rows * self._pitch(0)),
            (k, tiling.keys * self._pitch(1)),
            (vt, tiling.channels * self._pitch(2)),
            (self.stage.op.output, tiling.rows * self._sizes[3]),
            ("tables", self._tables_bytes()),
        )
        return SmallestTiles(f"{tiling.rows} rows", needs, transfers)

    def problem(self) -> TileProblem:
        """Return the problem; it has no row choice where no tile fits."""
        choices = filter(None, map(self._row_choice, self._row_tiles()))
        return TileProblem(tuple(choices), (1,), self.target.l1_usable_bytes)

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        """Return heads, query rows, keys and head width."""
        heads, rows, width = self.staged.graph.types[self.stage.op.inputs[0]].shape
        return heads, rows, self.staged.graph.types[self.stage.op.inputs[1]].shape[1], width

    @property
    def streamed(self) -> bool:
        """Tell whether packed K has to come tile by tile: beside V it has no room."""
        return k_is_streamed(self.target, *self._sizes)

    def _row_tiles(self) -> tuple[int, ...]:
        """Return the legal numbers of query rows: such as cores share evenly, or jobs take at once."""
        rows = self._sizes[1]
        sizes = {*tile_sizes(rows, job_costs(self.target).rows), *tile_sizes(rows, self.target.cores)}
        return tuple(sorted(sizes))

    def _key_tiles(self) -> tuple[int, ...]:
        """Return the legal numbers of keys; those that are streamed come in as many tiles as have buffers."""
        keys = self._sizes[2]
        if self.streamed:
            sizes = tile_sizes(keys, job_costs(self.target).channels)
            return tuple(size for size in sizes if tiles(keys, size) >= STREAM_BUFFERS)
        return even_tiles(keys, KEY_STEP)

    def _smallest_tiling(self) -> AttentionTiling:
        width = self._sizes[3]
        return AttentionTiling(
            self._row_tiles()[0],
            self._key_tiles()[0],
            even_tiles(width, CHANNEL_STEP)[0],
            streamed=self.streamed,
        )

    def _row_choice(self, rows: int) -> RowChoice | None:
        """Return what tiles of so many query rows cost, if they fit."""
        target, limit = self.target, self.target.dma.max_bytes
        heads, rows_total, keys, width = self._sizes
        smallest = self._smallest_tiling()
        buffers = attention_buffers(self.staged, self.stage, replace(smallest, rows=rows))
        moved = max(rows * self._pitch(0), rows * width, self._tables_bytes())
        if needed_bytes(buffers) > target.l1_usable_bytes or moved > limit:
            return None
        turns = [min(rows, rows_total - first) for first in range(0, rows_total, rows)]
        beside = Turns() if self.streamed else turns_of(target, turns, keys, width)
        steps = (
            tuple(
                self._streaming(tile, turns) if self.streamed else self._packing(1, tile, keys, Turns())
                for tile in self._key_tiles()
            ),
            tuple(self._packing(2, tile, width, beside) for tile in even_tiles(width, CHANNEL_STEP)),
        )
        raw_bytes = min(raw_room(rows, keys), limit) if self.streamed else limit
        allowed = tuple(
            tuple(cost for cost in costs if cost.tile * self._pitch(operand) <= raw_bytes)
            for operand, costs in enumerate(steps, start=1)
        )
        if not all(allowed):
            return None
        loads = heads * [dma_cycles(target, count * self._pitch(0)) for count in turns]
        stores = heads * [dma_cycles(target, count * width, count) for count in turns]
        tables = dma_cycles(target, self._tables_bytes())
        return RowChoice(
            rows=rows,
            fixed_bytes=needed_bytes(tuple(each for each in buffers if each.role == "fixed")),
            dma_cycles=sum(loads) + sum(stores) + tables,
            exposed_cycles=sum(loads[:2]) + stores[-1] + tables,
            ahead_cycles=sum(stores[:-1]),
            inputs=(InputCost(rows * self._pitch(0), sum(loads[2:]), (2,)),),
            steps=allowed,
        )

    def _packing(self, operand: int, tile: int, whole: int, beside: Turns) -> StepCost:
        """Return what packing K or V costs in tiles of so many rows; behind V with the turns of each head."""
        heads, _, keys, width = self._sizes
        depth, pitch = width if operand == 1 else keys, self._pitch(operand)
        edge = whole - (tiles(whole, tile) - 1) * tile
        compute = dma = exposed = 0
        for times, rows in ((tiles(whole, tile) - 1, tile), (1, edge)):
            cycles = call_cycles(self.target, PACK, {"rows": rows, "depth": depth})
            moved = dma_cycles(self.target, rows * pitch)
            compute, dma = compute + times * cycles, dma + times * moved
            exposed += times * max(0, moved - cycles)
        first = dma_cycles(self.target, tile * pitch) if operand == 1 else 0
        return StepCost(
            tile=tile,
            compute_cycles=heads * (compute + beside.compute),
            dma_cycles=heads * dma,
            exposed_cycles=min(heads * exposed + first, heads * dma) + heads * beside.exposed,
            hiding_cycles=heads * beside.compute,
            job_cycles=heads * beside.jobs,
            operand_bytes=0 if self.streamed else tile * pitch,
        )

    def _streaming(self, tile: int, turns: list[int]) -> StepCost:
        """Return what K costs in tiles of so many keys that are packed once, and come in every turn."""
        heads, _, keys, width = self._sizes
        lines = [min(tile, keys - first) for first in range(0, keys, tile)]
        packing = [call_cycles(self.target, PACK, {"rows": rows, "depth": width}) for rows in lines]
        raw = [dma_cycles(self.target, rows * self._pitch(1)) for rows in lines]
        packed = [dma_cycles(self.target, rows * packed_pitch(width)) for rows in lines]
        beside = streamed_turns_of(self.target, turns, lines, width, packed)
        exposed = sum(
            max(0, load + store - cycles) for load, store, cycles in zip(raw, packed, packing, strict=True)
        )
        dma = sum(raw) + (1 + len(turns)) * sum(packed)
        # The first tiles come back behind the last one's way.
        exposed += raw[0] + packed[-1] + sum(packed[:STREAM_BUFFERS])
        return StepCost(
            tile=tile,
            compute_cycles=heads * (sum(packing) + beside.compute),
            dma_cycles=heads * dma,
            exposed_cycles=heads * (min(exposed, dma) + beside.exposed),
            hiding_cycles=heads * beside.compute,
            job_cycles=heads * beside.jobs,
            operand_bytes=STREAM_BUFFERS * tile * packed_pitch(width) // 2,  # of two slots
        )

    def _pitch(self, operand: int) -> int:
        return self.staged.layouts[self.stage.op.inputs[operand]].pitch_bytes

    def _tables_bytes(self) -> int:
        return self.staged.packed[self.stage.number].tables_bytes
