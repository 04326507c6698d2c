"""Tiles of a column stage: few enough to try them all."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.l1_buffers import column_buffers
from tmc.backend_gap9.plan.plan import ColumnTiling, StageCycles
from tmc.backend_gap9.stages.column_shape import ColumnShape, column_shape
from tmc.backend_gap9.stages.layout import Rows
from tmc.backend_gap9.stages.pack import PackedStage, table_block
from tmc.backend_gap9.stages.stages import ColumnStage
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op


@dataclass(frozen=True, slots=True)
class ColumnTiles:
    """The choices of one column stage."""

    graph: Graph
    stage: ColumnStage
    layouts: dict[str, Rows]
    packed: PackedStage
    target: Target

    def best(self) -> tuple[ColumnTiling, StageCycles] | None:
        """Return the tiles of least modelled cycles, the widest of equals, or None if none fit."""
        choices = [
            (self.cycles(columns), -columns) for columns in self.shape.tile_columns() if self.fits(columns)
        ]
        if not choices:
            return None
        cycles, columns = min(choices, key=lambda each: (each[0].total, each[1]))
        return ColumnTiling(-columns), cycles

    @property
    def shape(self) -> ColumnShape:
        return column_shape(self.graph, self.stage.op)

    def smallest(self) -> ColumnTiling:
        """Return the narrowest tiles."""
        return ColumnTiling(self.shape.tile_columns()[0])

    def transfers(self, columns: int) -> tuple[tuple[str, int], ...]:
        """Return name and bytes of the transfers of a tile."""
        op, shape = self.stage.op, self.shape
        x, y = op.inputs[0], op.output
        weight = ((f"{y}.weight", columns * shape.weight_bytes),) if shape.weight_bytes else ()
        return (
            (x, shape.x_bytes(self.layouts[x], columns)),
            (y, shape.y_bytes(self.layouts[y], columns)),
            *weight,
        )

    def fits(self, columns: int) -> bool:
        """Tell whether buffers fit L1 and every transfer is short enough."""
        tiling = ColumnTiling(columns)
        sizes = column_buffers(self.graph, self.stage, self.layouts, self.packed, tiling)
        longest = max(size for _, size in self.transfers(columns))
        room = self.target.l1_usable_bytes
        return sum(word_up(size) for _, size in sizes) <= room and longest <= self.target.dma.max_bytes

    def cycles(self, columns: int) -> StageCycles:
        """Return the modelled cycles: each turn hides the load of the next and the store of the last one."""
        shape, op = self.shape, self.stage.op
        sizes = shape.sizes(columns) * shape.groups
        computes = [column_cycles(self.graph, op, size, self.target) for size in sizes]
        loads, stores = zip(*(self.transfer_cycles(columns, size) for size in sizes), strict=True)
        tables = len(self.packed.contents.get(table_block(self.stage), b""))
        once = dma_cycles(self.target, tables) if tables else 0
        turns = zip(loads[1:], stores, computes, strict=False)
        exposed = once + loads[0] + stores[-1] + sum(max(0, a + b - hidden) for a, b, hidden in turns)
        compute = sum(computes)
        return StageCycles(compute, once + sum(loads) + sum(stores), exposed, compute + exposed)

    def transfer_cycles(self, columns: int, taken: int) -> tuple[int, int]:
        """Return the cycles of load and store of a tile that has `taken` of `columns` columns."""
        shape, op = self.shape, self.stage.op
        x, y = self.layouts[op.inputs[0]], self.layouts[op.output]
        whole = columns == shape.columns
        load = dma_cycles(self.target, shape.x_bytes(x, taken), 1 if whole else shape.x_rows)
        store = dma_cycles(
            self.target, shape.y_bytes(y, taken), 1 if whole or shape.transposed else shape.y_rows
        )
        if shape.weight_bytes:
            load += dma_cycles(self.target, taken * shape.weight_bytes)
        return load, store


def column_cycles(graph: Graph, op: Op, columns: int, target: Target) -> int:
    """Return the modelled cycles of one kernel call on a tile of some columns."""
    record = record_of(op.kind)
    (kernel,) = record.chosen(graph, op)
    row_bytes = columns * graph.types[op.inputs[0]].dtype.size_bytes
    numbers = {**record.numbers(graph, op), "channels": columns, "row_bytes": row_bytes}
    return call_cycles(target, kernel, numbers)
