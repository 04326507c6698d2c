"""The channel tiles of a linear on the accelerator: a job for each, and what the cores do behind it.

While the job of a tile runs, the cores finish the results of the tile before it: the kernel behind the job's,
a rotation, the store. Where there is such a kernel, jobs leave their results in the double buffer `sums`.
Jobs of linears that need nothing of each other, as Q, K and V, follow each other without a gap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tmc.backend_gap9.kernels.linear import LinearJob, job_of
from tmc.backend_gap9.plan.job_runs import job_before, job_behind
from tmc.backend_gap9.plan.l1_buffers import input_pitch, sums_pitch, sums_slot_bytes
from tmc.backend_gap9.program.buffers import ValueShape
from tmc.backend_gap9.program.expressions import Number, add, mod, mul
from tmc.backend_gap9.program.program import (
    Binary,
    Call,
    Compare,
    Const,
    Expr,
    Job,
    JobEnd,
    Loop,
    Operand,
    Slot,
    Stmt,
)
from tmc.backend_gap9.schedule.calls import Tile, kernel_call, made_part, row_call
from tmc.backend_gap9.schedule.context import (
    BARRIER,
    at,
    equal,
    less,
    moved_by,
    named,
    operand,
    part,
    wait,
    when,
)
from tmc.backend_gap9.schedule.row_channels import RowChannels
from tmc.backend_gap9.schedule.row_places import K
from tmc.backend_gap9.stages.pack import own_name, weight_block
from tmc.ir.graph import Graph, Op


@dataclass(frozen=True, slots=True)
class RowJobs(RowChannels):
    """The linears of one row stage, those on the accelerator among them."""

    def sums(self) -> dict[str, ValueShape]:
        """Return what jobs leave for the cores to finish, by name."""
        found: dict[str, ValueShape] = {}
        for op in self.linears():
            job = job_of(self.context.graph, op)
            if job is not None and job.epilogue is not None:
                row_bytes = self.context.graph.types[op.inputs[1]].shape[0] * job.result.size_bytes
                found[_sums_name(self.context.graph, op)] = ValueShape(self.stage.rows, row_bytes)
        return found

    def job_tiles(self, op: Op, job: LinearJob) -> tuple[Stmt, ...]:
        """Return the statements for all channel tiles of a linear on the accelerator."""
        count = self.channel_tiles(op)
        first: tuple[Stmt, ...] = ()
        bind, running = named(f"w_{self.linears().index(op)}", self.running(op, self.linears(), 0))
        if job_before(self.context.staged, self.stage, op) is None:
            first = (*bind, BARRIER, *self._start(op, 0, running), *self.next_weight(op, 0, running))
        if count > 1:
            bind, running = named("w", self.running(op, self.linears(), K))
        k: Number = K if count > 1 else 0
        turn = self._turn(op, job, k, running, job_behind(self.context.staged, self.stage, op))
        if count == 1:
            return (*(first or bind), *turn)
        return (*first, Loop("k", count, (*bind, *turn)))

    def _turn(self, op: Op, job: LinearJob, k: Number, running: Expr, behind: Op | None) -> tuple[Stmt, ...]:
        """Return the turn of tile k: the next job starts, and that of the tile ends and is finished."""
        following = add(running, 1)
        starts: list[tuple[Compare, Op, Number]] = [(less(add(k, 1), self.channel_tiles(op)), op, add(k, 1))]
        if behind is not None:
            starts.append((equal(k, self.channel_tiles(op) - 1), behind, 0))
        body: list[Stmt] = []
        for condition, each, number in starts:
            body += when(condition, *self._free(each), *self._start(each, number, following))
        body.append(JobEnd(_slot(running), self._job_call(op, k, running)))
        for condition, each, number in starts:
            body += when(condition, *self.next_weight(each, number, following))
        return (*body, *self._finish(op, job, k, running))

    def _free(self, op: Op) -> tuple[Stmt, ...]:
        """Return the barrier behind which no core reads the sums of two tiles ago; else none is needed."""
        return () if self._job(op).epilogue is None else (BARRIER,)

    def _job(self, op: Op) -> LinearJob:
        job = job_of(self.context.graph, op)
        assert job is not None
        return job

    def _start(self, op: Op, k: Number, running: Expr) -> tuple[Stmt, ...]:
        """Return the start of the job of tile k, its weights here and a place for what leaves for L2."""
        out = self.out_tile(op, k, running).free if self._job(op).epilogue is None else ()
        return (wait("weight", mod(running, 2)), *out, Job(_slot(running), self._job_call(op, k, running)))

    def _finish(self, op: Op, job: LinearJob, k: Number, running: Expr) -> tuple[Stmt, ...]:
        """Return what the cores do with the results of tile k, and the start of their store."""
        out = self.out_tile(op, k, running)
        tile = self.linear_tile(op, k, out.address)
        if job.epilogue is None:
            return self.leave(op, tile, replace(out, free=()))
        call = self._epilogue_call(op, job, running, tile)
        return (*out.free, BARRIER, call, *self._slice_ahead(op, k), *self.leave(op, tile, out))

    def first_ahead(self) -> tuple[Stmt, ...]:
        """Return how the first row tile of what runs ahead is made: at once."""
        made = self.ahead
        if made is None:
            return ()
        return (
            self.wait_input(made.input, 0),
            BARRIER,
            self._ahead_call(made.op, made.input, 0, 0, self.rows(0)),
        )

    def _slice_ahead(self, op: Op, k: Number) -> tuple[Stmt, ...]:
        """Return a slice of the next row tile of what runs ahead, if it does so beside an op."""
        made = self.ahead
        if made is None or op is not made.beside:
            return ()
        t, each = add(self.t, 1), self.tiling.ahead_rows
        first, rows = mul(k, each), self.rows(t)
        taken: Expr = Binary("min", Const(each), Binary("-", rows, first))
        call = self._ahead_call(made.op, made.input, t, first, taken)
        return when(less(t, self.count), *when(less(first, rows), call))

    def _ahead_call(self, op: Op, x: str, t: Number, first: Number, rows: Expr) -> Call:
        """Return the call that makes rows of row tile t of what runs ahead, the first one by number."""
        x_pitch, y_pitch = input_pitch(self.context.staged, self.stage, x), self.pitch(op.output)
        tile = Tile(
            moved_by(self.input_tile(x, t), mul(first, x_pitch)),
            x_pitch,
            moved_by(self.own_tile(op.output, t), mul(first, y_pitch)),
            y_pitch,
            add(self.row(t), first),
            rows,
            channels=self.context.graph.types[op.output].shape[1],
        )
        return row_call(self.context.graph, op, tile, self.tables())

    def _job_call(self, op: Op, k: Number, running: Expr) -> Call:
        """Return the call of the job of tile k."""
        graph, job = self.context.graph, self._job(op)
        tile = self.linear_tile(op, k, self.out_tile(op, k, running).address)
        y = operand("y", tile.y, made_part(graph, op, tile))
        numbers = {**tile.numbers(), "x_pitch": tile.x_pitch}
        if job.epilogue is not None:
            y = replace(self._sums(op, job, running, tile), field="y")
            numbers |= {"y_pitch": sums_pitch(job, tile.tile_channels), "head_channels": tile.channels}
        given = {
            "x": operand("x", tile.x, part(op.inputs[0], tile.row)),
            "weight": operand(
                "weight", self.weight_tile(running), part(weight_block(graph, op), tile.channel)
            ),
            "y": y,
        }
        return kernel_call(graph, op, job.kernel, given, numbers, self.tables(), tile.channel)

    def _epilogue_call(self, op: Op, job: LinearJob, running: Expr, tile: Tile) -> Call:
        graph = self.context.graph
        assert job.epilogue is not None
        given = {
            "x": self._sums(op, job, running, tile),
            "y": operand("y", tile.y, made_part(graph, op, tile)),
        }
        numbers = {**tile.numbers(), "x_pitch": sums_pitch(job, tile.tile_channels)}
        return kernel_call(graph, op, job.epilogue, given, numbers, self.tables(), tile.channel)

    def _sums(self, op: Op, job: LinearJob, running: Expr, tile: Tile) -> Operand:
        """Return what a job leaves, as an operand of the kernel behind it."""
        slot_bytes = sums_slot_bytes(self.context.staged, self.stage, self.tiling)
        held = part(_sums_name(self.context.graph, op), tile.row, mul(tile.channel, job.result.size_bytes))
        return operand("x", at("sums", mul(mod(running, 2), slot_bytes)), held)


def _slot(running: Expr) -> Slot:
    return Slot("job", mod(running, 2))


def _sums_name(graph: Graph, op: Op) -> str:
    return own_name(graph, f"{op.output}.sums")
