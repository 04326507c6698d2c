"""Choose the tiles of every stage: least modelled cycles within L1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tmc.backend_gap9.kernels.costs import cold_cycles
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.plan.l1_buffers import needed_bytes
from tmc.backend_gap9.plan.plan import StageCycles
from tmc.backend_gap9.plan.stage_tiles import SmallestTiles, StageTiles, TiledStage
from tmc.backend_gap9.plan.tiling_attention import attention_tiles
from tmc.backend_gap9.plan.tiling_columns import ColumnTiles
from tmc.backend_gap9.plan.tiling_moves import MoveTiles
from tmc.backend_gap9.plan.tiling_rows import RowTiles
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.stages.staged import GraphStage, Staged, StageForm
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlanError

FORMS: Mapping[StageForm, Callable[[Staged, GraphStage, Target], StageTiles]] = {
    "rows": RowTiles,
    "attention": attention_tiles,
    "columns": ColumnTiles,
    "moves": MoveTiles,
}


def tile_stage(staged: Staged, stage: GraphStage, target: Target, solver: TileSolver) -> TiledStage:
    """Return the tiles of a stage that take the least modelled cycles.

    Raises: PlanError if the smallest legal tiles do not fit L1, or need a transfer that is too long.
    """
    tiles = FORMS[stage.form](staged, stage, target)
    best = tiles.best(solver)
    if best is None:
        raise _misfit(stage, tiles.smallest(), tiles.remedy, target)
    return replace(best, cycles=_from_cold(best.cycles, staged, stage, target))


def _from_cold(cycles: StageCycles, staged: Staged, stage: GraphStage, target: Target) -> StageCycles:
    """Return the cycles of a stage with those that the code of its kernels takes, whatever the tiles.

    That of all jobs counts as a kernel's.
    """
    kernels = {
        kernel.stem: kernel for op in stage.ops for kernel in record_of(op.kind).chosen(staged.graph, op)
    }
    calls = [kernel for kernel in kernels.values() if not kernel.is_job]
    cold = sum(cold_cycles(target, kernel) for kernel in calls)
    cold += target.calls.cold_cycles * (len(calls) < len(kernels))
    return replace(cycles, compute=cycles.compute + cold, bound=cycles.bound + cold)


def check_smallest_tiles(staged: Staged, stage: GraphStage, target: Target) -> None:
    """Refuse a stage whose smallest legal tiles do not fit L1, or need a transfer that is too long.

    Raises: PlanError, as `tile_stage` does, without its search.
    """
    tiles = FORMS[stage.form](staged, stage, target)
    smallest = tiles.smallest()
    longest = max((size for _, size in smallest.transfers), default=0)
    if needed_bytes(smallest.needs) > target.l1_usable_bytes or longest > target.dma.max_bytes:
        raise _misfit(stage, smallest, tiles.remedy, target)


def _misfit(stage: GraphStage, smallest: SmallestTiles, remedy: str, target: Target) -> PlanError:
    """Return the error for a stage whose smallest tiles do not fit."""
    total, usable = needed_bytes(smallest.needs), target.l1_usable_bytes
    if total > usable:
        largest = sorted(smallest.needs, key=lambda each: -each.size_bytes)
        listed = ", ".join(f"{each.name} {each.size_bytes}" for each in largest)
        found = f"found {total} bytes of L1 for the smallest tile of {smallest.text} ({listed})"
        return PlanError(
            stage.where,
            f"{found}, allowed {usable}",
            remedy,
        )
    name, size = max(smallest.transfers, key=lambda each: each[1])
    return PlanError(
        stage.where,
        f"found a transfer of {size} bytes for {name} in the smallest tile of {smallest.text}, "
        f"allowed {target.dma.max_bytes}",
        remedy,
    )
