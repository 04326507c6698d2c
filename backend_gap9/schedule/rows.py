"""Schedule of a row stage: one loop over row tiles, and in it one loop over channel tiles for every linear.

Per row tile: the inputs have arrived, the next ones leave for the other buffer, then op follows op, each
behind a barrier.
"""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.linear import job_of
from tmc.backend_gap9.kernels.table import form_of
from tmc.backend_gap9.plan.column_runs import ColumnRun, column_runs
from tmc.backend_gap9.plan.l1_buffers import (
    row_inputs,
    stored_in_place,
    whole_stored,
)
from tmc.backend_gap9.plan.plan import RowTiling
from tmc.backend_gap9.program.expressions import Number, add
from tmc.backend_gap9.program.program import Const, Loop, Stmt
from tmc.backend_gap9.schedule.calls import (
    Tile,
    computed_rows,
    kernel_call,
    row_call,
)
from tmc.backend_gap9.schedule.context import (
    BARRIER,
    Context,
    less,
    moved_by,
    operand,
    part,
    stage_prologue,
    wait,
    when,
)
from tmc.backend_gap9.schedule.form import StageSchedule
from tmc.backend_gap9.schedule.row_jobs import RowJobs
from tmc.backend_gap9.schedule.row_places import K
from tmc.backend_gap9.stages.pack import line_blocks
from tmc.backend_gap9.stages.staged import GraphStage
from tmc.ir.errors import PlanError
from tmc.ir.graph import Op


def schedule_rows(context: Context, stage: GraphStage) -> StageSchedule:
    """Return the schedule of a row stage."""
    tiling = context.plan.stages[stage.number].tiling
    assert isinstance(tiling, RowTiling)
    rows = _Rows(context, stage, tiling)
    return StageSchedule(rows.statements(), scratch=rows.sums())


@dataclass(frozen=True, slots=True)
class _Rows(RowJobs):
    def statements(self) -> tuple[Stmt, ...]:
        linears, inputs = self.linears(), row_inputs(self.context.staged, self.stage)
        body = self.row_loop_body(inputs)
        first = (self.load_weight(linears[0], 0, Const(0)),) if linears else ()
        return (
            *stage_prologue(self.context, self.stage, *(self.load_input(name, 0) for name in inputs), *first),
            *self.first_ahead(),
            *((Loop("t", self.count, body),) if self.count > 1 else body),
            *(
                wait(f"store{self.stage.stored.index(value)}")
                for value in whole_stored(self.context.staged, self.stage)
            ),
            *(wait("out", index) for index in range(min(2, self.out_tiles()))),
        )

    def row_loop_body(self, inputs: tuple[str, ...]) -> tuple[Stmt, ...]:
        in_place = stored_in_place(self.context.staged, self.stage)
        more, made = less(add(self.t, 1), self.count), self.ahead
        body: list[Stmt] = [
            *(self.wait_input(name, self.t) for name in inputs if made is None or name != made.input),
            *self.waits_before(self.stage.ops[0]),
            BARRIER,
        ]
        ahead = [name for name in inputs if self.tiling.buffers_of(name) == 2]
        for name in ahead:
            if name not in in_place:
                body += when(more, self.load_input(name, add(self.t, 1)))
        for index, op in enumerate(self.stage.ops):
            if op.output in self.rotated():
                continue
            if index > 0:
                body += [*self.waits_before(op), *(() if form_of(op) == "channels" else (BARRIER,))]
            if made is not None and op is made.beside:
                body += when(more, self.wait_input(made.input, add(self.t, 1)))
            if made is None or op is not made.op:
                body += self.op_statements(op)
            if index == 0:
                for name in sorted(in_place & set(ahead)):
                    stored = next(
                        value
                        for value in whole_stored(self.context.staged, self.stage)
                        if self.storage.home[value] == name
                    )
                    body += [*self.wait_store(stored), *when(more, self.load_input(name, add(self.t, 1)))]
            done = [name for name in inputs if name not in ahead and self.last_reader(name) is op]
            loads = [
                statement for name in done for statement in when(more, self.load_input(name, add(self.t, 1)))
            ]
            body += [BARRIER, *loads] if loads else []
        if whole_stored(self.context.staged, self.stage):
            body += [
                BARRIER,
                *(self.store_row_tile(value) for value in whole_stored(self.context.staged, self.stage)),
            ]
        return tuple(body)

    def rotated(self) -> frozenset[str]:
        """Return the rotations that are part of a linear's channel loop."""
        followers = (self.rotation(op) for op in self.linears())
        return frozenset(op.output for op in followers if op is not None)

    def last_reader(self, name: str) -> Op:
        """Return the last op of the stage that touches the tile of an input, as a step of the row loop."""
        readers = [
            op
            for op in self.stage.ops
            if any(self.storage.home.get(value) == name for value in (*op.inputs, op.output))
            or name in line_blocks(self.context.graph, self.stage, op).values()
        ]
        last = readers[-1]
        return (
            next(op for op in self.linears() if op.output == last.inputs[0])
            if last.output in self.rotated()
            else last
        )

    def waits_before(self, op: Op) -> tuple[Stmt, ...]:
        """Return the wait for the last store out of the buffer that an op is about to fill."""
        if (
            op.output in whole_stored(self.context.staged, self.stage)
            and self.storage.home[op.output] == op.output
        ):
            return self.wait_store(op.output)
        return ()

    def op_statements(self, op: Op) -> tuple[Stmt, ...]:
        if form_of(op) == "channels":
            job = job_of(self.context.graph, op)
            if job is not None:
                return self.job_tiles(op, job)
            count = self.channel_tiles(op)
            if count == 1:
                return self.channel_tile(op, 0)
            return (Loop("k", count, self.channel_tile(op, K)),)
        if form_of(op) == "follower":
            raise PlanError(
                op.loc,
                "found a rotation that does not directly follow a linear of its own",
                "rotate the output of a linear that nothing else reads",
            )
        runs = column_runs(self.context.staged, self.stage, op)
        if runs:
            return tuple(self.column_call(op, each) for each in runs)
        channels = self.context.graph.types[op.output].shape[1]
        tile = Tile(
            self.row_tile(op.inputs[0]),
            self.pitch(op.inputs[0]),
            self.row_tile(op.output),
            self.pitch(op.output),
            self.row(self.t),
            self.rows(self.t),
            channels=channels,
            more=tuple((self.row_tile(name), self.pitch(name)) for name in self.second_inputs(op)),
        )
        return (row_call(self.context.graph, op, tile, self.tables(), lines=self.lines(op)),)

    def column_call(self, op: Op, each: ColumnRun) -> Stmt:
        """Return the call that moves a run of columns; those of one op write bytes of their own."""
        held = each.source in self.storage.home
        x = self.row_tile(each.source) if held else self.input_tile(each.source, self.t)
        y, row = self.row_tile(op.output), self.row(self.t)
        given = {
            "x": operand("x", moved_by(x, each.x_bytes), part(each.source, row, each.x_bytes)),
            "y": operand("y", moved_by(y, each.y_bytes), part(op.output, row, each.y_bytes)),
        }
        numbers: dict[str, Number] = {**each.numbers(), "rows": self.rows(self.t)}
        return kernel_call(self.context.graph, op, each.run.kernel, given, numbers, self.tables())

    def second_inputs(self, op: Op) -> tuple[str, ...]:
        """Return the computed values that an op reads by rows beside its first operand."""
        return tuple(value for _, value in computed_rows(self.context.graph, op)[1:])
