"""Tiles of a column stage: few enough to try them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.plan.l1_buffers import column_buffers, needed_bytes
from tmc.backend_gap9.plan.plan import ColumnTiling, StageCycles
from tmc.backend_gap9.plan.stage_tiles import SmallestTiles, TiledStage
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.stages.column_shape import ColumnShape, column_shape
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op


@dataclass(frozen=True, slots=True)
class ColumnTiles:
    """The choices of one column stage."""

    staged: Staged
    stage: GraphStage
    target: Target

    remedy: ClassVar[str] = "use fewer tokens, or a shorter result: all rows of a column lie in L1 at once"

    def best(self, solver: TileSolver) -> TiledStage | None:
        """Return the tiles of least modelled cycles, the widest of equals, or None if none fit.

        All are tried: they are the best by proof, and take no solver.
        """
        choices = [
            (self.cycles(columns), -columns) for columns in self.shape.tile_columns() if self.fits(columns)
        ]
        if not choices:
            return None
        cycles, columns = min(choices, key=lambda each: (each[0].total, each[1]))
        tiling = ColumnTiling(-columns)
        return TiledStage(tiling, column_buffers(self.staged, self.stage, tiling), cycles, True)

    @property
    def shape(self) -> ColumnShape:
        return column_shape(self.staged.graph, self.stage.op)

    def smallest(self) -> SmallestTiles:
        """Return the narrowest tiles, whether they fit or not."""
        tiling = ColumnTiling(self.shape.tile_columns()[0])
        needs = column_buffers(self.staged, self.stage, tiling)
        return SmallestTiles(f"{tiling.columns} columns", needs, self.transfers(tiling.columns))

    def transfers(self, columns: int) -> tuple[tuple[str, int], ...]:
        """Return name and bytes of the transfers of a tile."""
        op, shape = self.stage.op, self.shape
        x, y = op.inputs[0], op.output
        more = ((f"{y}.weight", columns * shape.weight_bytes),) if shape.weight_bytes else ()
        if shape.z_rows:
            more = ((op.inputs[1], shape.z_bytes(self.staged.layouts[op.inputs[1]])),)
        return (
            (x, shape.x_bytes(self.staged.layouts[x], columns)),
            (y, shape.y_bytes(self.staged.layouts[y], columns)),
            *more,
        )

    def fits(self, columns: int) -> bool:
        """Tell whether buffers fit L1 and every transfer is short enough."""
        needs = column_buffers(self.staged, self.stage, ColumnTiling(columns))
        longest = max(size for _, size in self.transfers(columns))
        return needed_bytes(needs) <= self.target.l1_usable_bytes and longest <= self.target.dma.max_bytes

    def cycles(self, columns: int) -> StageCycles:
        """Return the modelled cycles: each turn hides the load of the next and the store of the last one."""
        shape, op = self.shape, self.stage.op
        sizes = shape.sizes(columns) * shape.groups
        computes = [column_cycles(self.staged.graph, op, size, self.target) for size in sizes]
        loads, stores = zip(*(self.transfer_cycles(columns, size) for size in sizes), strict=True)
        tables = self.staged.packed[self.stage.number].tables_bytes
        once = dma_cycles(self.target, tables) if tables else 0
        turns = zip(loads[1:], stores, computes, strict=False)
        exposed = once + loads[0] + stores[-1] + sum(max(0, a + b - hidden) for a, b, hidden in turns)
        compute = sum(computes)
        return StageCycles(compute, once + sum(loads) + sum(stores), 0, exposed, compute + exposed)

    def transfer_cycles(self, columns: int, taken: int) -> tuple[int, int]:
        """Return the cycles of load and store of a tile that has `taken` of `columns` columns."""
        shape, op = self.shape, self.stage.op
        x, y = self.staged.layouts[op.inputs[0]], self.staged.layouts[op.output]
        whole = columns == shape.columns
        load = dma_cycles(self.target, shape.x_bytes(x, taken), 1 if whole else shape.x_rows)
        store = dma_cycles(
            self.target, shape.y_bytes(y, taken), 1 if whole or shape.transposed else shape.y_rows
        )
        if shape.weight_bytes:
            load += dma_cycles(self.target, taken * shape.weight_bytes)
        if shape.z_rows:
            load += dma_cycles(self.target, shape.z_bytes(self.staged.layouts[op.inputs[1]]))
        return load, store


def column_cycles(graph: Graph, op: Op, columns: int, target: Target) -> int:
    """Return the modelled cycles of one kernel call on a tile of some columns."""
    record = record_of(op.kind)
    (kernel,) = record.chosen(graph, op)
    row_bytes = columns * graph.types[op.inputs[0]].dtype.size_bytes
    numbers = {**record.numbers(graph, op), "channels": columns, "row_bytes": row_bytes}
    return call_cycles(target, kernel, numbers)
