"""Tiles of a stage that moves rows: few enough to try them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.plan.l1_buffers import move_buffers, needed_bytes
from tmc.backend_gap9.plan.plan import MoveTiling, StageCycles
from tmc.backend_gap9.plan.stage_tiles import SmallestTiles, TiledStage
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.stages.move_shape import MovedRun, MoveShape, move_shape
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.backend_gap9.target.target import Target


@dataclass(frozen=True, slots=True)
class MoveTiles:
    """The choices of one stage that moves rows."""

    staged: Staged
    stage: GraphStage
    target: Target

    remedy: ClassVar[str] = "use fewer rows, or narrower ones: what a tile is picked from lies in L1 at once"

    def best(self, solver: TileSolver) -> TiledStage | None:
        """Return the tiles of least modelled cycles, the largest of equals, or None if none fit.

        All are tried: they are the best by proof, and take no solver.
        """
        shape = self.shape
        tilings = (
            MoveTiling(rows, columns) for rows in shape.tile_rows() for columns in shape.tile_columns()
        )
        choices = [(self.cycles(shape, tiling), tiling) for tiling in tilings if self.fits(tiling)]
        if not choices:
            return None
        cycles, tiling = min(choices, key=lambda each: (each[0].total, -each[1].columns, -each[1].rows))
        return TiledStage(tiling, move_buffers(self.staged, self.stage, tiling), cycles, True)

    @property
    def shape(self) -> MoveShape:
        return move_shape(self.staged, self.stage)

    def smallest(self) -> SmallestTiles:
        """Return the smallest tiles, whether they fit or not."""
        tiling = MoveTiling(self.shape.tile_rows()[0], self.shape.tile_columns()[0])
        needs = move_buffers(self.staged, self.stage, tiling)
        return SmallestTiles(tiling.text(), needs, self.transfers(tiling))

    def transfers(self, tiling: MoveTiling) -> tuple[tuple[str, int], ...]:
        """Return name and bytes of the transfers of a tile."""
        shape, (rows, columns) = self.shape, (tiling.rows, tiling.columns)
        x = (
            (run.source, run.window(rows) * shape.pitch(run.x_pitch, columns, columns)) for run in shape.runs
        )
        return (*x, (self.stage.op.output, shape.y_slot_bytes(rows, columns)))

    def fits(self, tiling: MoveTiling) -> bool:
        """Tell whether buffers fit L1 and every transfer is short enough."""
        needs = move_buffers(self.staged, self.stage, tiling)
        longest = max(size for _, size in self.transfers(tiling))
        return needed_bytes(needs) <= self.target.l1_usable_bytes and longest <= self.target.dma.max_bytes

    def cycles(self, shape: MoveShape, tiling: MoveTiling) -> StageCycles:
        """Return the modelled cycles: each turn hides the load of the next and the store of the last one."""
        turns = [turn for run in shape.runs for turn in self._turns(shape, run, tiling)]
        tables = self.staged.packed[self.stage.number].tables_bytes
        once = dma_cycles(self.target, tables) if tables else 0
        exposed = once + turns[0].load + turns[-1].store
        exposed += sum((turn.count - 1) * turn.exposed_before(turn) for turn in turns)
        exposed += sum(turn.exposed_before(following) for turn, following in pairwise(turns))
        compute = sum(turn.count * turn.compute for turn in turns)
        moved = sum(turn.count * (turn.load + turn.store) for turn in turns)
        return StageCycles(compute, once + moved, 0, exposed, compute + exposed)

    def _turns(self, shape: MoveShape, run: MovedRun, tiling: MoveTiling) -> Iterator[_Turns]:
        """Yield the tiles of a run, those of equal size together."""
        rows, window = min(tiling.rows, run.rows), run.window(tiling.rows)
        whole = tiling.columns == shape.columns
        step_bytes = shape.step_bytes(run, tiling.columns)
        for column in range(0, shape.columns, tiling.columns):
            taken = min(tiling.columns, shape.columns - column)
            x_pitch, y_pitch = (
                shape.pitch(pitch, tiling.columns, taken) for pitch in (run.x_pitch, shape.y_pitch)
            )
            for made, count in ((rows, run.rows // rows), (run.rows % rows, 1)):
                if made:
                    read = made if run.copied else window
                    row_bytes = taken * shape.element_bytes
                    numbers = {"rows": made, "row_bytes": row_bytes, "step_bytes": step_bytes}
                    yield _Turns(
                        count,
                        dma_cycles(self.target, read * x_pitch, 1 if whole else read),
                        call_cycles(self.target, run.run.kernel, numbers),
                        dma_cycles(self.target, made * y_pitch, 1 if whole else made),
                    )


@dataclass(frozen=True, slots=True)
class _Turns:
    """So many equal turns, and the cycles of load, call and store of each."""

    count: int
    load: int
    compute: int
    store: int

    def exposed_before(self, following: _Turns) -> int:
        """Return what the call does not hide of its own store and of the load that comes next."""
        return max(0, following.load + self.store - self.compute)
