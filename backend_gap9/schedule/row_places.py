"""Numbers and places of a row stage: its tiles, where they lie in L1, and the transfers that move them."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.table import form_of
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.job_runs import Ahead, ahead_of
from tmc.backend_gap9.plan.l1_buffers import (
    input_pitch,
    row_inputs,
    row_pitch,
    streamed_slot_bytes,
    weight_pitch_of,
    weight_slot_bytes,
)
from tmc.backend_gap9.plan.plan import RowTiling
from tmc.backend_gap9.program.expressions import Number, add, mod, mul, tile_size, tiles
from tmc.backend_gap9.program.program import Address, Const, Dma, Expr, Slot, Stmt, Var
from tmc.backend_gap9.schedule.context import (
    Context,
    at,
    less,
    load,
    rows_in_l2,
    wait,
    when,
)
from tmc.backend_gap9.stages.pack import weight_block
from tmc.backend_gap9.stages.staged import GraphStage, Storage
from tmc.ir.graph import Op

T, K = Var("t"), Var("k")


@dataclass(frozen=True, slots=True)
class RowPlaces:
    """One row stage under one tiling."""

    context: Context
    stage: GraphStage
    tiling: RowTiling

    @property
    def storage(self) -> Storage:
        """How the values of the stage live in L1."""
        return self.context.staged.storage[self.stage.number]

    # ------------------------------------------------------------ numbers

    @property
    def count(self) -> int:
        """Row tiles."""
        return tiles(self.stage.rows, self.tiling.rows)

    @property
    def t(self) -> Number:
        """Number of the present row tile: the loop variable, or 0 if there is no loop."""
        return T if self.count > 1 else 0

    def row(self, t: Number) -> Expr:
        """First row of a row tile."""
        return mul(t, self.tiling.rows)

    def rows(self, t: Number) -> Expr:
        """Rows of a row tile."""
        return tile_size(t, self.tiling.rows, self.stage.rows)

    def linears(self) -> tuple[Op, ...]:
        return tuple(op for op in self.stage.ops if form_of(op) == "channels")

    def channel_tiles(self, op: Op) -> int:
        return tiles(self.context.graph.types[op.inputs[1]].shape[0], self.tiling.channels_of(op.output))

    def streams(self, op: Op) -> Op | None:
        """Return the op whose tiles leave for L2 with each channel tile: itself, its rotation or none."""
        follower = self.rotation(op) or op
        return follower if follower.output in self.storage.streamed else None

    def rotation(self, op: Op) -> Op | None:
        """Return the rotation that follows each channel tile of a linear."""
        if op.output not in self.storage.per_tile:
            return None
        return next(other for other in self.stage.ops if op.output in other.inputs)

    def running(self, op: Op, counted: tuple[Op, ...], k: Number) -> Expr:
        """Number of a channel tile among those of `counted` ops, over all row tiles so far."""
        per_row_tile = sum(self.channel_tiles(other) for other in counted)
        before = sum(self.channel_tiles(other) for other in counted[: counted.index(op)])
        return add(mul(self.t, per_row_tile), k, before)

    # ------------------------------------------------------------ places in L1

    def input_tile(self, name: str, t: Number) -> Address:
        pitch = input_pitch(self.context.staged, self.stage, name)
        slot_bytes = word_up(self.tiling.rows * pitch)
        return at(f"in.{name}", mul(mod(t, self.tiling.buffers_of(name)), slot_bytes))

    def row_tile(self, value: str) -> Address:
        """Where the whole row tile of a value lies."""
        home = self.storage.home[value]
        return self.input_tile(home, self.t) if home in self.stage.inputs else self.own_tile(home, self.t)

    def own_tile(self, value: str, t: Number) -> Address:
        """Where row tile t of a value lies that has a buffer, or two of them if it is made ahead."""
        ahead = self.ahead
        if ahead is None or ahead.op.output != value:
            return at(f"row.{value}")
        return at(f"row.{value}", mul(mod(t, 2), word_up(self.tiling.rows * self.pitch(value))))

    @property
    def ahead(self) -> Ahead | None:
        """What runs one row tile ahead."""
        return ahead_of(self.context.staged, self.stage) if self.tiling.ahead_rows else None

    def pitch(self, value: str) -> int:
        return row_pitch(self.context.staged, self.stage, value)

    def weight_tile(self, running: Expr) -> Address:
        slot_bytes = weight_slot_bytes(self.context.staged, self.stage, self.tiling)
        return at("weight", mul(mod(running, 2), slot_bytes))

    def out_slot_bytes(self) -> int:
        return streamed_slot_bytes(self.context.staged, self.stage, self.tiling)

    # ------------------------------------------------------------ transfers

    def load_input(self, name: str, t: Number) -> Dma:
        """Start loading row tile t of a stage input."""
        index = row_inputs(self.context.staged, self.stage).index(name)
        pitch = input_pitch(self.context.staged, self.stage, name)
        source = (
            rows_in_l2(self.context, name, self.row(t))
            if name in self.context.layouts
            else at(name, mul(self.row(t), pitch))
        )
        return load(
            Slot(f"in{index}", mod(t, self.tiling.buffers_of(name))),
            self.input_tile(name, t),
            source,
            mul(self.rows(t), pitch),
        )

    def wait_input(self, name: str, t: Number) -> Stmt:
        """Wait for row tile t of a stage input."""
        index = row_inputs(self.context.staged, self.stage).index(name)
        return wait(f"in{index}", mod(t, self.tiling.buffers_of(name)))

    def load_weight(self, op: Op, k: Number, running: Expr) -> Dma:
        """Start loading channel tile k of a linear into the buffer of the running number."""
        channels = self.context.graph.types[op.inputs[1]].shape[0]
        tile = self.tiling.channels_of(op.output)
        pitch = weight_pitch_of(self.context.staged, op)
        return load(
            Slot("weight", mod(running, 2)),
            self.weight_tile(running),
            at(weight_block(self.context.graph, op), mul(k, tile * pitch)),
            mul(tile_size(k, tile, channels), pitch),
        )

    def store_row_tile(self, value: str) -> Dma:
        size = mul(self.rows(self.t), self.pitch(value))
        return Dma(
            Slot(f"store{self.stage.stored.index(value)}", Const(0)),
            "out",
            self.row_tile(value),
            rows_in_l2(self.context, value, self.row(self.t)),
            Const(1),
            size,
            size,
        )

    def wait_store(self, value: str) -> tuple[Stmt, ...]:
        return when(less(0, self.t), wait(f"store{self.stage.stored.index(value)}"))
