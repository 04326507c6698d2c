"""Schedule of a stage that moves rows: a loop over tiles for every run of rows, one run after the other.

Operand and result are double-buffered: while a tile is copied, the next one arrives, be it of the next run,
and the last one leaves. A tile of whole rows travels as one run of bytes, any other one line by line.
"""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.moves import INDEX_BYTES
from tmc.backend_gap9.plan.plan import MoveTiling
from tmc.backend_gap9.program.expressions import Number, add, div, expr, mod, mul, tile_size, tiles
from tmc.backend_gap9.program.program import (
    Address,
    Call,
    Const,
    Dma,
    Expr,
    Lookup,
    Loop,
    Operand,
    Part,
    Slot,
    Stmt,
    Var,
)
from tmc.backend_gap9.schedule.calls import Tables, kernel_call
from tmc.backend_gap9.schedule.context import (
    BARRIER,
    Context,
    at,
    equal,
    less,
    load,
    named,
    operand,
    part,
    rows_in_l2,
    stage_prologue,
    wait,
    wait_out,
    when,
)
from tmc.backend_gap9.schedule.form import StageSchedule
from tmc.backend_gap9.stages.move_shape import MovedRun, MoveShape, move_shape
from tmc.backend_gap9.stages.staged import GraphStage


def schedule_moves(context: Context, stage: GraphStage) -> StageSchedule:
    """Return the schedule of a stage that moves rows."""
    tiling, shape = context.plan.stages[stage.number].tiling, move_shape(context.staged, stage)
    assert isinstance(tiling, MoveTiling)
    moves = _Moves(context, stage, shape, tiling)
    firsts = {moves.table(run): run.firsts(tiling.rows) for run in shape.runs if not run.copied}
    return StageSchedule(moves.statements(), firsts)


@dataclass(frozen=True, slots=True)
class _Moves:
    context: Context
    stage: GraphStage
    shape: MoveShape
    tiling: MoveTiling

    # ------------------------------------------------------------ numbers; a turn is one of its run

    @property
    def whole(self) -> bool:
        """Whether a tile has whole rows."""
        return self.tiling.columns == self.shape.columns

    def turns(self, run: MovedRun) -> int:
        return tiles(run.rows, self.tiling.rows) * tiles(self.shape.columns, self.tiling.columns)

    def table(self, run: MovedRun) -> str:
        """Name of the table of the first rows that the tiles of a run are given."""
        return f"first_{self.shape.runs.index(run)}"

    def tile(self, run: MovedRun, turn: Number) -> Expr:
        """Number of the tile of rows of a turn: all of them for each tile of columns."""
        return expr(turn if self.whole else mod(turn, tiles(run.rows, self.tiling.rows)))

    def column_tile(self, run: MovedRun, turn: Number) -> Expr:
        return Const(0) if self.whole else div(turn, tiles(run.rows, self.tiling.rows))

    def taken(self, run: MovedRun, turn: Number) -> Expr:
        """Columns of a turn."""
        return tile_size(self.column_tile(run, turn), self.tiling.columns, self.shape.columns)

    def rows(self, run: MovedRun, turn: Number) -> Expr:
        """Rows of the result of a turn."""
        return tile_size(self.tile(run, turn), min(self.tiling.rows, run.rows), run.rows)

    def x_rows(self, run: MovedRun, turn: Number) -> Expr:
        """Rows of the operand that a turn is given."""
        return self.rows(run, turn) if run.copied else Const(run.window(self.tiling.rows))

    def x_first(self, run: MovedRun, turn: Number) -> Expr:
        """First row of the operand that a turn is given."""
        if run.copied:
            return add(mul(self.tile(run, turn), self.tiling.rows), run.run.indices[0])
        return Lookup(self.table(run), self.tile(run, turn))

    def pitch(self, pitch_bytes: int, run: MovedRun, turn: Number) -> Expr:
        """Bytes from row to row of a tile in L1."""
        if self.whole:
            return Const(pitch_bytes)
        return mul(self.taken(run, turn), self.shape.element_bytes)

    def column_bytes(self, run: MovedRun, turn: Number) -> Expr:
        """Where the columns of a turn begin in a row."""
        return mul(self.column_tile(run, turn), self.tiling.columns * self.shape.element_bytes)

    # ------------------------------------------------------------ places

    def slot(self, name: str, running: Expr, size_bytes: int) -> Address:
        return at(name, mul(mod(running, 2), size_bytes))

    def x_tile(self, running: Expr) -> Address:
        return self.slot("in", running, self.shape.x_slot_bytes(self.tiling.rows, self.tiling.columns))

    def y_tile(self, running: Expr) -> Address:
        return self.slot("out", running, self.shape.y_slot_bytes(self.tiling.rows, self.tiling.columns))

    def x_in_l2(self, run: MovedRun, turn: Number) -> Address:
        row, column_bytes = self.x_first(run, turn), self.column_bytes(run, turn)
        if run.source in self.context.layouts:
            return rows_in_l2(self.context, run.source, row, column_bytes)
        return at(run.source, add(mul(row, run.x_pitch), column_bytes))

    def made(self, run: MovedRun, turn: Number) -> Part:
        """Part of the result that a turn makes."""
        row = add(mul(self.tile(run, turn), self.tiling.rows), run.run.target)
        return part(self.stage.op.output, row, self.column_bytes(run, turn))

    # ------------------------------------------------------------ statements

    def statements(self) -> tuple[Stmt, ...]:
        runs = self.shape.runs
        body: list[Stmt] = [*stage_prologue(self.context, self.stage, self.load(runs[0], 0, Const(0)))]
        before = 0
        for number, run in enumerate(runs):
            turns = self.turns(run)
            turn: Number = Var("t") if turns > 1 else 0
            name = "n" if turns > 1 else f"n{number}"  # no loop, no scope of its own
            bind, running = named(name, add(turn, before))
            inner = (*bind, *self.turn(number, turn, running))
            body += (Loop("t", turns, inner),) if turns > 1 else inner
            before += turns
        return (*body, *(wait("out", index) for index in range(min(2, before))))

    def turn(self, number: int, turn: Number, running: Expr) -> tuple[Stmt, ...]:
        """Return the statements of a turn of a run; running: its number among those of all runs."""
        run, following = self.shape.runs[number], add(running, 1)
        last = self.turns(run) - 1
        more = when(less(turn, last), self.load(run, add(turn, 1), following))
        if number + 1 < len(self.shape.runs):
            more += when(equal(turn, last), self.load(self.shape.runs[number + 1], 0, following))
        return (
            wait("in0", mod(running, 2)),
            *wait_out(running, sum(map(self.turns, self.shape.runs))),
            BARRIER,
            *more,
            self.call(run, turn, running),
            BARRIER,
            self.store(run, turn, running),
        )

    def load(self, run: MovedRun, turn: Number, running: Expr) -> Dma:
        """Return the start of the transfer that brings the operand of a turn."""
        slot, tile, source = Slot("in0", mod(running, 2)), self.x_tile(running), self.x_in_l2(run, turn)
        rows, pitch = self.x_rows(run, turn), self.pitch(run.x_pitch, run, turn)
        if self.whole:
            return load(slot, tile, source, mul(rows, pitch))
        return Dma(slot, "in", tile, source, rows, pitch, Const(run.x_pitch))

    def store(self, run: MovedRun, turn: Number, running: Expr) -> Dma:
        """Return the start of the transfer that takes the result of a turn away."""
        slot, tile, made = Slot("out", mod(running, 2)), self.y_tile(running), self.made(run, turn)
        target = rows_in_l2(self.context, made.value, made.row, made.column_bytes)
        rows, pitch = self.rows(run, turn), self.pitch(self.shape.y_pitch, run, turn)
        if self.whole:
            size = mul(rows, pitch)
            return Dma(slot, "out", tile, target, Const(1), size, size)
        return Dma(slot, "out", tile, target, rows, pitch, Const(self.shape.y_pitch))

    def call(self, run: MovedRun, turn: Number, running: Expr) -> Call:
        """Return the kernel call of a turn."""
        graph, op = self.context.graph, self.stage.op
        held = part(run.source, self.x_first(run, turn), self.column_bytes(run, turn))
        tables = Tables.of(self.context.staged.packed[self.stage.number])
        made = self.made(run, turn)
        given: dict[str, Operand] = {
            "x": operand("x", self.x_tile(running), held),
            "y": operand("y", self.y_tile(running), made),
        }
        if not run.copied:
            given["table"] = tables.operand(op, "table", mul(made.row, INDEX_BYTES))
        numbers: dict[str, Number] = {
            "rows": self.rows(run, turn),
            "x_rows": self.x_rows(run, turn),
            "row_bytes": mul(self.taken(run, turn), self.shape.element_bytes),
            "x_pitch": self.pitch(run.x_pitch, run, turn),
            "y_pitch": self.pitch(self.shape.y_pitch, run, turn),
            "first": self.x_first(run, turn),
            "step_bytes": self.shape.step_bytes(run, self.tiling.columns),
        }
        return kernel_call(graph, op, run.run.kernel, given, numbers, tables)
