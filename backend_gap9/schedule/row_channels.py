"""The channel tiles of the linears of a row stage, on the cores.

Weights run through one double buffer over all linears of the stage and around the row loop, so the next tile
travels while the present one is used. Results that only later stages read leave tile by tile through the
double buffer `out`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tmc.backend_gap9.plan.l1_buffers import tile_pitch
from tmc.backend_gap9.program.expressions import Number, add, expr, mod, mul, round_up_to_word, tile_size
from tmc.backend_gap9.program.program import Address, Const, Dma, Expr, Operand, Slot, Stmt
from tmc.backend_gap9.schedule.calls import Tables, Tile, follower_call, line_field, made_part, row_call
from tmc.backend_gap9.schedule.context import (
    BARRIER,
    at,
    equal,
    less,
    named,
    operand,
    part,
    rows_in_l2,
    wait,
    wait_out,
    when,
)
from tmc.backend_gap9.schedule.row_places import K, RowPlaces
from tmc.backend_gap9.stages.pack import line_blocks
from tmc.ir.graph import Op
from tmc.ir.integer.qlinear import QLinearAttrs


@dataclass(frozen=True, slots=True)
class OutTile:
    """Where a channel tile leaves for L2: its half of `out`. free: behind these statements that is free."""

    address: Address
    index: Number
    free: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class RowChannels(RowPlaces):
    """The linears of one row stage under one tiling."""

    def out_tiles(self) -> int:
        """Number of channel tiles that go out as they are computed, over all row tiles."""
        return self.count * sum(self.channel_tiles(op) for op in self.linears() if self.streams(op))

    def channel_tile(self, op: Op, k: Number) -> tuple[Stmt, ...]:
        """Return the statements for channel tile k of a linear: next weights off, compute, result off."""
        suffix = "" if k is K else f"_{self.linears().index(op)}"  # no loop, no scope of its own
        bind, running = named(f"w{suffix}", self.running(op, self.linears(), k))
        out = self.out_tile(op, k, running, suffix)
        tile = self.linear_tile(op, k, out.address)
        return (
            *bind,
            wait("weight", mod(running, 2)),
            *out.free,
            BARRIER,
            *self.next_weight(op, k, running),
            row_call(self.context.graph, op, tile, self.tables(), self.weight_tile(running)),
            *self.leave(op, tile, out),
        )

    def out_tile(self, op: Op, k: Number, running: Expr, suffix: str | None = None) -> OutTile:
        """Return where channel tile k leaves for L2, if it does. suffix: of the name of its number."""
        if self.streams(op) is None:
            return OutTile(at("out"), 0)
        streaming = tuple(each for each in self.linears() if self.streams(each))
        bind: tuple[Stmt, ...] = ()
        if streaming != self.linears():
            running = self.running(op, streaming, k)
            if suffix is not None:
                bind, running = named(f"o{suffix}", running)
        index = mod(running, 2)
        address = at("out", mul(index, self.out_slot_bytes()))
        return OutTile(address, index, (*bind, *wait_out(running, self.out_tiles())))

    def leave(self, op: Op, tile: Tile, out: OutTile) -> tuple[Stmt, ...]:
        """Return what follows the results of a channel tile: a rotation, the start of the store."""
        body: list[Stmt] = []
        rotation, stream = self.rotation(op), self.streams(op)
        if rotation is not None:
            tile = replace(
                tile,
                x=tile.y,
                x_pitch=tile_pitch(tile.tile_channels),
                y=out.address,
                y_pitch=self.context.layouts[rotation.output].pitch_bytes,
            )
            call = follower_call(self.context.graph, rotation, tile, self.tables(), self.lines(rotation))
            body += [BARRIER, call]
        if stream is not None:
            body += [BARRIER, self.store_channel_tile(stream, tile, Slot("out", expr(out.index)))]
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
