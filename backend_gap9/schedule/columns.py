"""Schedule of a column stage: one loop over tiles of columns, for every run of rows if there are several.

Inputs, constants and output are double-buffered: while a tile is computed, the next one arrives and the last
one leaves. A tile of all columns travels as one run of bytes, any other one line by line.
"""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.plan.plan import ColumnTiling
from tmc.backend_gap9.program.expressions import Number, add, div, expr, mod, mul, tile_size, tiles
from tmc.backend_gap9.program.program import Address, Call, Const, Dma, Expr, Loop, Operand, Slot, Stmt, Var
from tmc.backend_gap9.schedule.calls import Tables, kernel_call
from tmc.backend_gap9.schedule.context import (
    BARRIER,
    Context,
    at,
    less,
    load,
    operand,
    part,
    rows_in_l2,
    stage_prologue,
    wait,
    wait_out,
    when,
)
from tmc.backend_gap9.schedule.form import StageSchedule
from tmc.backend_gap9.stages.column_shape import ColumnShape, column_shape
from tmc.backend_gap9.stages.pack import weight_block
from tmc.backend_gap9.stages.staged import GraphStage
from tmc.ir.graph import Op


def schedule_columns(context: Context, stage: GraphStage) -> StageSchedule:
    """Return the schedule of a column stage."""
    tiling, shape = context.plan.stages[stage.number].tiling, column_shape(context.graph, stage.op)
    assert isinstance(tiling, ColumnTiling)
    return StageSchedule(_Columns(context, stage, tiling.columns, shape).statements())


@dataclass(frozen=True, slots=True)
class _Columns:
    context: Context
    stage: GraphStage
    columns: int
    shape: ColumnShape

    @property
    def op(self) -> Op:
        return self.stage.op

    @property
    def tiles(self) -> int:
        """Tiles of columns."""
        return tiles(self.shape.columns, self.columns)

    @property
    def turns(self) -> int:
        return self.shape.groups * self.tiles

    @property
    def whole(self) -> bool:
        """Whether a tile has all columns."""
        return self.tiles == 1

    def group(self, turn: Number) -> Expr:
        """Number of the run of rows of a turn."""
        return div(turn, self.tiles) if self.shape.groups > 1 else Const(0)

    def tile(self, turn: Number) -> Expr:
        """Number of the tile of columns of a turn."""
        return mod(turn, self.tiles) if self.shape.groups > 1 else expr(turn if self.tiles > 1 else 0)

    def first(self, turn: Number) -> Expr:
        """First column of a turn."""
        return mul(self.tile(turn), self.columns)

    def taken(self, turn: Number) -> Expr:
        """Columns of a turn."""
        return tile_size(self.tile(turn), self.columns, self.shape.columns)

    def buffer(self, name: str, turn: Number, size_bytes: int) -> Address:
        return at(name, mul(mod(turn, 2), size_bytes))

    def x_pitch(self, turn: Number) -> Expr:
        if self.whole:
            return Const(self.context.layouts[self.op.inputs[0]].pitch_bytes)
        return mul(self.taken(turn), self.shape.x_element_bytes)

    def y_pitch(self, turn: Number) -> Expr:
        if self.whole or self.shape.transposed:
            return Const(self.context.layouts[self.op.output].pitch_bytes)
        return mul(self.taken(turn), self.shape.y_element_bytes)

    def x_tile(self, turn: Number) -> Address:
        layout = self.context.layouts[self.op.inputs[0]]
        return self.buffer("in", turn, self.shape.x_bytes(layout, self.columns))

    def y_tile(self, turn: Number) -> Address:
        layout = self.context.layouts[self.op.output]
        return self.buffer("out", turn, self.shape.y_bytes(layout, self.columns))

    def weight_tile(self, turn: Number) -> Address:
        return self.buffer("weight", turn, self.columns * self.shape.weight_bytes)

    def z_tile(self, turn: Number) -> Address:
        layout = self.context.layouts[self.op.inputs[1]]
        return self.buffer("z", turn, self.shape.z_bytes(layout))

    def z_row(self, turn: Number) -> Expr:
        """First row of the second input of a turn."""
        return mul(div(self.group(turn), self.shape.calls_per_z), self.shape.z_rows)

    def x_operand(self, turn: Number) -> Operand:
        column_bytes = mul(self.first(turn), self.shape.x_element_bytes)
        row = mul(self.group(turn), self.shape.x_rows)
        return operand("x", self.x_tile(turn), part(self.op.inputs[0], row, column_bytes))

    def y_operand(self, turn: Number) -> Operand:
        if self.shape.transposed:
            return operand("y", self.y_tile(turn), part(self.op.output, self.first(turn)))
        column_bytes = mul(self.first(turn), self.shape.y_element_bytes)
        row = mul(self.group(turn), self.shape.y_rows)
        return operand("y", self.y_tile(turn), part(self.op.output, row, column_bytes))

    def weight_operand(self, turn: Number) -> Operand:
        return operand(
            "weight",
            self.weight_tile(turn),
            part(weight_block(self.context.graph, self.op), self.first(turn)),
        )

    def call(self, turn: Number) -> Call:
        """Return the kernel call of a turn."""
        graph = self.context.graph
        (kernel,) = record_of(self.op.kind).chosen(graph, self.op)
        given = {"x": self.x_operand(turn), "y": self.y_operand(turn)}
        if self.shape.weight_bytes:
            given["weight"] = self.weight_operand(turn)
        if self.shape.z_rows:
            given["z"] = operand("z", self.z_tile(turn), part(self.op.inputs[1], self.z_row(turn)))
        numbers: dict[str, Number] = {
            "z_pitch": self.context.layouts[self.op.inputs[1]].pitch_bytes if self.shape.z_rows else 0,
            "channels": self.taken(turn),
            "row_bytes": mul(self.taken(turn), self.shape.x_element_bytes),
            "x_pitch": self.x_pitch(turn),
            "y_pitch": self.y_pitch(turn),
        }
        tables = Tables.of(self.context.staged.packed[self.stage.number])
        return kernel_call(graph, self.op, kernel, given, numbers, tables)

    def statements(self) -> tuple[Stmt, ...]:
        name = "g" if self.whole else "k" if self.shape.groups == 1 else "n"
        turn: Number = Var(name) if self.turns > 1 else 0
        body = self.turn(turn)
        return (
            *stage_prologue(self.context, self.stage, *self.loads(0)),
            *((Loop(name, self.turns, body),) if self.turns > 1 else body),
            *(wait("out", index) for index in range(min(2, self.turns))),
        )

    def turn(self, turn: Number) -> tuple[Stmt, ...]:
        following = add(turn, 1)
        second = [
            name for name, has in (("weight", self.shape.weight_bytes), ("z", self.shape.z_rows)) if has
        ]
        return (
            wait("in0", mod(turn, 2)),
            *(wait(name, mod(turn, 2)) for name in second),
            *wait_out(turn, self.turns),
            BARRIER,
            *when(less(following, self.turns), *self.loads(following)),
            self.call(turn),
            BARRIER,
            self.store(turn),
        )

    def loads(self, turn: Number) -> tuple[Dma, ...]:
        """Return the start of the transfers that bring a turn's operands."""
        slot, x_tile, x = Slot("in0", mod(turn, 2)), self.x_tile(turn), self.op.inputs[0]
        column_bytes = mul(self.first(turn), self.shape.x_element_bytes)
        source = rows_in_l2(self.context, x, mul(self.group(turn), self.shape.x_rows), column_bytes)
        pitch, rows = Const(self.context.layouts[x].pitch_bytes), self.shape.x_rows
        if self.whole:
            values = load(slot, x_tile, source, mul(pitch, rows))
        else:
            values = Dma(slot, "in", x_tile, source, Const(rows), self.x_pitch(turn), pitch)
        if self.shape.z_rows:
            z = self.op.inputs[1]
            others = rows_in_l2(self.context, z, self.z_row(turn))
            bytes_of_z = Const(self.shape.z_bytes(self.context.layouts[z]))
            return (values, load(Slot("z", mod(turn, 2)), self.z_tile(turn), others, bytes_of_z))
        if not self.shape.weight_bytes:
            return (values,)
        block = at(weight_block(self.context.graph, self.op), mul(self.first(turn), self.shape.weight_bytes))
        size = mul(self.taken(turn), self.shape.weight_bytes)
        return (values, load(Slot("weight", mod(turn, 2)), self.weight_tile(turn), block, size))

    def store(self, turn: Number) -> Dma:
        """Return the start of the transfer that takes a turn's result away."""
        slot, made, pitch = Slot("out", mod(turn, 2)), self.y_operand(turn), self.y_pitch(turn)
        target = rows_in_l2(self.context, self.op.output, made.part.row, made.part.column_bytes)
        if self.whole or self.shape.transposed:
            size = mul(self.taken(turn) if self.shape.transposed else self.shape.y_rows, pitch)
            return Dma(slot, "out", made.address, target, Const(1), size, size)
        l2_pitch = Const(self.context.layouts[self.op.output].pitch_bytes)
        return Dma(slot, "out", made.address, target, Const(self.shape.y_rows), pitch, l2_pitch)
