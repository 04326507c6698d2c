"""Schedule of a row stage: one loop over row tiles, and in it one loop over channel tiles for every linear.

Per row tile: the inputs have arrived, the next ones leave for the other buffer, then op follows op, each
behind a barrier. Weights run through one double buffer over all linears of the stage and around the row loop,
so the next tile travels while the present one is used. Results that only later stages read leave tile by tile
through the double buffer `out`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tmc.backend_gap9.kernels.table import form_of
from tmc.backend_gap9.plan.column_runs import ColumnRun, column_runs
from tmc.backend_gap9.plan.l1_buffers import (
    row_inputs,
    stored_in_place,
    tile_pitch,
    whole_stored,
)
from tmc.backend_gap9.plan.plan import RowTiling
from tmc.backend_gap9.program.expressions import Number, add, expr, mod, mul, round_up_to_word, tile_size
from tmc.backend_gap9.program.program import Address, Const, Dma, Expr, Loop, Operand, Slot, Stmt
from tmc.backend_gap9.schedule.calls import (
    Tables,
    Tile,
    computed_rows,
    follower_call,
    kernel_call,
    line_field,
    made_part,
    row_call,
)
from tmc.backend_gap9.schedule.context import (
    BARRIER,
    Context,
    at,
    equal,
    less,
    moved_by,
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
from tmc.backend_gap9.schedule.row_places import K, RowPlaces
from tmc.backend_gap9.stages.pack import line_blocks
from tmc.backend_gap9.stages.staged import GraphStage
from tmc.ir.errors import PlanError
from tmc.ir.graph import Op
from tmc.ir.integer.qlinear import QLinearAttrs


def schedule_rows(context: Context, stage: GraphStage) -> StageSchedule:
    """Return the schedule of a row stage."""
    tiling = context.plan.stages[stage.number].tiling
    assert isinstance(tiling, RowTiling)
    return StageSchedule(_Rows(context, stage, tiling).statements())


@dataclass(frozen=True, slots=True)
class _Rows(RowPlaces):
    def statements(self) -> tuple[Stmt, ...]:
        linears, inputs = self.linears(), row_inputs(self.context.staged, self.stage)
        body = self.row_loop_body(inputs)
        first = (self.load_weight(linears[0], 0, Const(0)),) if linears else ()
        return (
            *stage_prologue(self.context, self.stage, *(self.load_input(name, 0) for name in inputs), *first),
            *((Loop("t", self.count, body),) if self.count > 1 else body),
            *(
                wait(f"store{self.stage.stored.index(value)}")
                for value in whole_stored(self.context.staged, self.stage)
            ),
            *(wait("out", index) for index in range(min(2, self.out_tiles()))),
        )

    def out_tiles(self) -> int:
        """Number of channel tiles that go out as they are computed, over all row tiles."""
        return self.count * sum(self.channel_tiles(op) for op in self.linears() if self.streams(op))

    def row_loop_body(self, inputs: tuple[str, ...]) -> tuple[Stmt, ...]:
        in_place = stored_in_place(self.context.staged, self.stage)
        more = less(add(self.t, 1), self.count)
        body: list[Stmt] = [
            *(self.wait_input(name) for name in inputs),
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

    def channel_tile(self, op: Op, k: Number) -> tuple[Stmt, ...]:
        """Return the statements for channel tile k of a linear: next weights off, compute, result off."""
        suffix = "" if k is K else f"_{self.linears().index(op)}"  # no loop, no scope of its own
        bind, running = named(f"w{suffix}", self.running(op, self.linears(), k))
        stream = self.streams(op)
        body: list[Stmt] = [*bind, wait("weight", mod(running, 2))]
        out = at("out")
        out_running: Expr = expr(0)
        if stream is not None:
            streaming = tuple(each for each in self.linears() if self.streams(each))
            if streaming == self.linears():
                out_running = running
            else:
                bind, out_running = named(f"o{suffix}", self.running(op, streaming, k))
                body += bind
            out = at("out", mul(mod(out_running, 2), self.out_slot_bytes()))
            body += wait_out(out_running, self.out_tiles())
        body += [BARRIER, *self.next_weight(op, k, running)]
        tile = self.linear_tile(op, k, out)
        body.append(row_call(self.context.graph, op, tile, self.tables(), self.weight_tile(running)))
        rotation = self.rotation(op)
        if rotation is not None:
            tile = replace(
                tile,
                x=tile.y,
                x_pitch=tile_pitch(tile.tile_channels),
                y=out,
                y_pitch=self.context.layouts[rotation.output].pitch_bytes,
            )
            call = follower_call(self.context.graph, rotation, tile, self.tables(), self.lines(rotation))
            body += [BARRIER, call]
        if stream is not None:
            body += [BARRIER, self.store_channel_tile(stream, tile, Slot("out", mod(out_running, 2)))]
        return tuple(body)

    def next_weight(self, op: Op, k: Number, running: Expr) -> tuple[Stmt, ...]:
        """Return the start of the weight tile that follows tile k of a linear, if any does."""
        linears, count = self.linears(), self.channel_tiles(op)
        following = linears[(linears.index(op) + 1) % len(linears)]
        load_following: tuple[Stmt, ...] = (self.load_weight(following, 0, add(running, 1)),)
        if op is linears[-1]:
            load_following = when(less(add(self.t, 1), self.count), *load_following)
        within = when(less(add(k, 1), count), self.load_weight(op, add(k, 1), add(running, 1)))
        return (*within, *(when(equal(k, count - 1), *load_following) if load_following else ()))

    def linear_tile(self, op: Op, k: Number, out: Address) -> Tile:
        channels = self.tiling.channels_of(op.output)
        taken = tile_size(k, channels, self.context.graph.types[op.inputs[1]].shape[0])
        x, x_pitch = self.row_tile(op.inputs[0]), self.pitch(op.inputs[0])
        rows, row = self.rows(self.t), self.row(self.t)
        split = self.tiling.split_of(op.output)
        head = self.context.graph.types[op.output].shape[2] if _has_heads(op) else 0
        tile = Tile(x, x_pitch, out, 0, row, rows, k, channels, taken, split=split, head_channels=head)
        if op.output in self.storage.per_tile:
            return replace(tile, y=at(f"tile.{op.output}"), y_pitch=tile_pitch(channels))
        if op.output in self.storage.streamed:
            return replace(tile, y_pitch=self.packed_pitch(op, tile))
        home = self.row_tile(op.output)
        column_bytes = mul(tile.channel, self.context.graph.types[op.output].dtype.size_bytes)
        return replace(
            tile, y=at(home.buffer, add(home.offset_bytes, column_bytes)), y_pitch=self.pitch(op.output)
        )

    def packed_pitch(self, op: Op, tile: Tile) -> Number:
        """Return the pitch of a channel tile in `out`, also where the tile is a smaller last one."""
        layout = self.context.layouts[op.output]
        attrs = op.attrs
        assert isinstance(attrs, QLinearAttrs)
        if attrs.layout == "transposed":
            return round_up_to_word(tile.rows)
        size_bytes = self.context.graph.types[op.output].dtype.size_bytes
        if attrs.layout == "heads" or tile.tile_channels * size_bytes >= layout.row_bytes:
            return layout.pitch_bytes
        return round_up_to_word(mul(tile.channels, size_bytes))

    def lines(self, op: Op) -> Operand | None:
        """Return the part of an op's line table that has come with the row tile, if it has one."""
        blocks = line_blocks(self.context.graph, self.stage, op)
        if not blocks:
            return None
        ((table, block),) = blocks.items()
        return operand(line_field(op, table), self.input_tile(block, self.t), part(block, self.row(self.t)))

    def store_channel_tile(self, op: Op, tile: Tile, slot: Slot) -> Dma:
        """Start storing the channel tile of a streamed value."""
        layout = self.context.layouts[op.output]
        made = made_part(self.context.graph, op, tile)
        target = rows_in_l2(self.context, op.output, made.row, made.column_bytes)
        if isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "transposed":
            return Dma(
                slot,
                "out",
                tile.y,
                target,
                expr(tile.channels),
                expr(tile.y_pitch),
                Const(layout.pitch_bytes),
            )
        if tile.y_pitch == layout.pitch_bytes:
            heads = tile.tile_channels // tile.head_channels if tile.head_channels else 1
            size = mul(tile.rows, heads * layout.pitch_bytes)
            return Dma(slot, "out", tile.y, target, Const(1), size, size)
        return Dma(slot, "out", tile.y, target, tile.rows, expr(tile.y_pitch), Const(layout.pitch_bytes))

    def tables(self) -> Tables:
        return Tables.of(self.context.staged.packed[self.stage.number])


def _has_heads(op: Op) -> bool:
    """Tell whether a linear stores its result head by head."""
    return isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "heads"
