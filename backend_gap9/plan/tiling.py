"""Choose the tiles of every stage: least modelled cycles within L1."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.l1_buffers import buffers_of_stage, column_buffers
from tmc.backend_gap9.plan.plan import StageCycles, Tiling
from tmc.backend_gap9.plan.tile_problem import tile_cost
from tmc.backend_gap9.plan.tiling_attention import AttentionTiles
from tmc.backend_gap9.plan.tiling_columns import ColumnTiles
from tmc.backend_gap9.plan.tiling_rows import RowTiles
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.stages.layout import Rows, Storage
from tmc.backend_gap9.stages.pack import PackedStage
from tmc.backend_gap9.stages.stages import AnyStage, AttentionStage, ColumnStage, RowStage, stage_ops
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph


@dataclass(frozen=True, slots=True)
class TiledStage:
    """Tiles of a stage and their modelled cycles; optimal tells whether the solver proved them the best."""

    tiling: Tiling
    cycles: StageCycles
    optimal: bool


def tile_stage(
    graph: Graph,
    stage: AnyStage,
    layouts: dict[str, Rows],
    storage: Storage | None,
    packed: PackedStage,
    target: Target,
    solver: TileSolver,
) -> TiledStage:
    """Return the tiles of a stage that take the least modelled cycles.

    `storage` is that of a row stage. Raises: PlanError if the smallest legal tiles do not fit L1, or need a
    transfer that is too long.
    """
    if isinstance(stage, ColumnStage):
        return _tile_columns(graph, stage, layouts, packed, target)
    tiles: RowTiles | AttentionTiles
    if isinstance(stage, AttentionStage):
        tiles = AttentionTiles(graph, stage, layouts, packed, target)
    else:
        assert storage is not None
        tiles = RowTiles(graph, stage, layouts, storage, packed, target)
    problem = tiles.problem()
    solution = solver.solve(problem)
    if solution is None:
        smallest = tiles.smallest_tiling()
        sizes = buffers_of_stage(graph, stage, layouts, storage, packed, smallest)
        raise _misfit(stage, target, sizes, tiles.smallest_transfers(), f"{smallest.rows} rows")
    tiling = tiles.tiling(problem, solution.choice)
    cost = tile_cost(problem, solution.choice)
    sizes = buffers_of_stage(graph, stage, layouts, storage, packed, tiling)
    assert sum(word_up(size) for _, size in sizes) <= cost.l1_bytes <= target.l1_usable_bytes, (
        "L1 sizes disagree"
    )
    cycles = StageCycles(cost.compute_cycles, cost.dma_cycles, cost.exposed_cycles, solution.bound_cycles)
    return TiledStage(tiling, cycles, solution.optimal)


def _tile_columns(
    graph: Graph, stage: ColumnStage, layouts: dict[str, Rows], packed: PackedStage, target: Target
) -> TiledStage:
    """Return the best tiles of a column stage: all are tried, so they are the best by proof."""
    tiles = ColumnTiles(graph, stage, layouts, packed, target)
    best = tiles.best()
    if best is None:
        smallest = tiles.smallest()
        sizes = column_buffers(graph, stage, layouts, packed, smallest)
        tile = f"{smallest.columns} columns"
        raise _misfit(stage, target, sizes, tiles.transfers(smallest.columns), tile)
    return TiledStage(*best, True)


def _misfit(
    stage: AnyStage,
    target: Target,
    sizes: tuple[tuple[str, int], ...],
    transfers: tuple[tuple[str, int], ...],
    tile: str,
) -> PlanError:
    """Return the error for a stage whose smallest tiles do not fit."""
    where = ", ".join(op.loc for op in stage_ops(stage))
    total, usable = sum(word_up(size) for _, size in sizes), target.l1_usable_bytes
    if total > usable:
        listed = ", ".join(f"{name} {size}" for name, size in sorted(sizes, key=lambda each: -each[1]))
        return PlanError(
            where,
            f"found {total} bytes of L1 for the smallest tile of {tile} ({listed}), allowed {usable}",
            _remedy(stage),
        )
    name, size = max(transfers, key=lambda each: each[1])
    return PlanError(
        where,
        f"found a transfer of {size} bytes for {name} in the smallest tile of {tile}, "
        f"allowed {target.dma.max_bytes}",
        _remedy(stage),
    )


def _remedy(stage: AnyStage) -> str:
    match stage:
        case AttentionStage():
            return (
                "use fewer tokens, or heads of fewer channels: a row of scores takes 2 bytes for each token"
            )
        case ColumnStage():
            return "use fewer tokens, or a shorter result: all rows of a column lie in L1 at once"
        case RowStage():
            return "use fewer channels, or a narrower hidden layer: whole rows stay in L1 between these ops"
