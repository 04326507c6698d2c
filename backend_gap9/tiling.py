"""Choose the tiles of every stage: least modelled cycles within L1."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.cost import dma_cycles, mean_rows_cycles
from tmc.backend_gap9.kernels import word_up
from tmc.backend_gap9.l1_buffers import buffers_of_stage, mean_buffers
from tmc.backend_gap9.layout import Rows, Storage
from tmc.backend_gap9.pack import PackedStage
from tmc.backend_gap9.plan import AttentionTiling, RowTiling, StageCycles
from tmc.backend_gap9.stages import AnyStage, AttentionStage, MeanStage, RowStage, stage_ops
from tmc.backend_gap9.tile_problem import tile_cost
from tmc.backend_gap9.tiling_attention import AttentionTiles
from tmc.backend_gap9.tiling_rows import RowTiles
from tmc.backend_gap9.tiling_solver import TileSolver
from tmc.ir.attrs import QMeanRowsAttrs
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph
from tmc.ir.target import Target


@dataclass(frozen=True, slots=True)
class TiledStage:
    """Tiles of a stage and their modelled cycles; optimal tells whether the solver proved them the best."""

    tiling: RowTiling | AttentionTiling
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
    if isinstance(stage, MeanStage):
        return _tile_mean(graph, stage, layouts, target)
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
        raise _misfit(stage, target, sizes, tiles.smallest_transfers(), smallest.rows)
    tiling = tiles.tiling(problem, solution.choice)
    cost = tile_cost(problem, solution.choice)
    sizes = buffers_of_stage(graph, stage, layouts, storage, packed, tiling)
    assert sum(word_up(size) for _, size in sizes) <= cost.l1_bytes <= target.l1.usable_bytes, (
        "L1 sizes disagree"
    )
    cycles = StageCycles(cost.compute_cycles, cost.dma_cycles, cost.exposed_cycles, solution.bound_cycles)
    return TiledStage(tiling, cycles, solution.optimal)


def _tile_mean(graph: Graph, stage: MeanStage, layouts: dict[str, Rows], target: Target) -> TiledStage:
    """Return the only tiling of a mean: one group of rows at a time, everything double-buffered."""
    attrs, value = stage.op.attrs, stage.op.inputs[0]
    assert isinstance(attrs, QMeanRowsAttrs)
    x, y = layouts[value], layouts[stage.op.output]
    sizes = mean_buffers(graph, stage, layouts)
    transfers = ((value, attrs.group_rows * x.pitch_bytes), (stage.op.output, y.pitch_bytes))
    too_long = max(size for _, size in transfers) > target.dma.max_bytes
    if too_long or sum(word_up(size) for _, size in sizes) > target.l1.usable_bytes:
        raise _misfit(stage, target, sizes, transfers, attrs.group_rows)
    load, store = (dma_cycles(target, size) for _, size in transfers)
    compute = mean_rows_cycles(target, attrs.group_rows, x.row_bytes)
    exposed = load + store + (y.rows - 1) * max(0, load + store - compute)
    total = y.rows * compute
    cycles = StageCycles(total, y.rows * (load + store), exposed, total + exposed)
    return TiledStage(RowTiling(attrs.group_rows, (), ((value, 2),)), cycles, True)


def _misfit(
    stage: AnyStage,
    target: Target,
    sizes: tuple[tuple[str, int], ...],
    transfers: tuple[tuple[str, int], ...],
    rows: int,
) -> PlanError:
    """Return the error for a stage whose smallest tiles do not fit."""
    where = ", ".join(op.loc for op in stage_ops(stage))
    total, usable = sum(word_up(size) for _, size in sizes), target.l1.usable_bytes
    if total > usable:
        listed = ", ".join(f"{name} {size}" for name, size in sorted(sizes, key=lambda each: -each[1]))
        return PlanError(
            where,
            f"found {total} bytes of L1 for the smallest tile of {rows} rows ({listed}), allowed {usable}",
            _remedy(stage),
        )
    name, size = max(transfers, key=lambda each: each[1])
    return PlanError(
        where,
        f"found a transfer of {size} bytes for {name} in the smallest tile of {rows} rows, "
        f"allowed {target.dma.max_bytes}",
        _remedy(stage),
    )


def _remedy(stage: AnyStage) -> str:
    match stage:
        case AttentionStage():
            return (
                "use fewer tokens, or heads of fewer channels: a row of scores takes 2 bytes for each token"
            )
        case MeanStage():
            return "average fewer rows at once, or use fewer channels"
        case RowStage():
            return "use fewer channels, or a narrower hidden layer: whole rows stay in L1 between these ops"
