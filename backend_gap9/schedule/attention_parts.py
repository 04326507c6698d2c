"""What both schedules of an attention with jobs have in common: places of tiles, transfers, calls."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.attention import DIVIDE, JOB_SOFTMAX, PACK
from tmc.backend_gap9.kernels.attention_jobs import EXP_TABLE_BYTES, NORM_BYTES
from tmc.backend_gap9.kernels.attention_turns import NORMS, WORD, score_pitch, sum_pitch
from tmc.backend_gap9.kernels.linear import SUMS
from tmc.backend_gap9.kernels.ne16 import packed_pitch
from tmc.backend_gap9.kernels.record import Kernel
from tmc.backend_gap9.kernels.weight_rows import odd_pitch
from tmc.backend_gap9.plan.l1_buffers import raw_slot
from tmc.backend_gap9.plan.plan import AttentionTiling
from tmc.backend_gap9.program.buffers import ValueShape
from tmc.backend_gap9.program.expressions import Number, add, div, expr, mod, mul, tile_size, tiles
from tmc.backend_gap9.program.program import (
    Address,
    Binary,
    Call,
    Const,
    Dma,
    Expr,
    Lookup,
    Operand,
    Part,
    Slot,
    Stmt,
    Var,
)
from tmc.backend_gap9.schedule.calls import Tables, kernel_call
from tmc.backend_gap9.schedule.context import (
    Context,
    at,
    load,
    moved_by,
    operand,
    part,
    rows_in_l2,
    wait_out,
)
from tmc.backend_gap9.stages.pack import own_name
from tmc.backend_gap9.stages.staged import GraphStage
from tmc.ir.graph import Graph, Op
from tmc.ir.integer.arithmetic import OFFSET

HEAD, T, J = Var("head"), Var("t"), Var("j")


def job_scratch(graph: Graph, op: Op) -> dict[str, ValueShape]:
    """Return the values that live only in L1."""
    heads, rows, width = graph.types[op.inputs[0]].shape
    keys = graph.types[op.inputs[1]].shape[1]
    shapes = {
        "keys": ValueShape(heads * keys, packed_pitch(width)),
        "key_bias": ValueShape(1, heads * keys * WORD),
        "values": ValueShape(heads * width, packed_pitch(keys)),
        "value_bias": ValueShape(1, heads * width * WORD),
        "scores": ValueShape(heads * rows, keys * WORD),
        "p": ValueShape(heads * rows, keys),
        "norm": ValueShape(1, heads * rows * NORM_BYTES),
        "sums": ValueShape(heads * rows, width * WORD),
    }
    return {own_name(graph, f"{op.output}.{field}"): shape for field, shape in shapes.items()}


@dataclass(frozen=True, slots=True)
class AttentionParts:
    """An attention stage whose products are jobs."""

    context: Context
    stage: GraphStage
    tiling: AttentionTiling

    @property
    def heads(self) -> int:
        return self.context.graph.types[self.stage.op.inputs[0]].shape[0]

    @property
    def head(self) -> Number:
        return HEAD if self.heads > 1 else 0

    def sizes(self) -> tuple[int, int, int]:
        """Return query rows, keys and head width."""
        types = self.context.graph.types
        _, rows, width = types[self.stage.op.inputs[0]].shape
        return rows, types[self.stage.op.inputs[1]].shape[1], width

    @property
    def count(self) -> int:
        """Tiles of query rows of a head."""
        return tiles(self.sizes()[0], self.tiling.rows)

    def pitch(self, operand_number: int) -> int:
        return self.context.layouts[self.stage.op.inputs[operand_number]].pitch_bytes

    # ------------------------------------------------------------ tiles of query rows

    def turn(self, t: Number) -> Expr:
        """Return the number of a tile among those of all heads."""
        return add(mul(self.head, self.count), t)

    def rows(self, t: Number) -> Expr:
        return tile_size(t, self.tiling.rows, self.sizes()[0])

    def row(self, t: Number) -> Expr:
        """Return the first row of a tile among those of all heads."""
        return add(mul(self.head, self.sizes()[0]), mul(t, self.tiling.rows))

    def load_q(self, turn: Expr) -> Dma:
        """Start loading the query tile of a turn, counted over all heads."""
        rows_total, (t, head) = self.sizes()[0], (mod(turn, self.count), div(turn, self.count))
        row = add(mul(head, rows_total), mul(t, self.tiling.rows))
        source = rows_in_l2(self.context, self.stage.op.inputs[0], row)
        return load(Slot("q", mod(turn, 2)), self.q_tile(turn), source, mul(self.rows(t), self.pitch(0)))

    def q_tile(self, turn: Number) -> Address:
        return at("q", mul(mod(turn, 2), self.tiling.rows * self.pitch(0)))

    @property
    def copies(self) -> int:
        """Of how many tiles there are scores and sums at once."""
        return 1 if self.tiling.streamed else 2

    def scores_tile(self, t: Number) -> Address:
        return at("scores", mul(mod(t, self.copies), self.tiling.rows * score_pitch(self.sizes()[1])))

    def p_tile(self, t: Number) -> Address:
        return at("p", mul(mod(t, 2), self.tiling.rows * odd_pitch(self.sizes()[1])))

    def sums_tile(self, t: Number) -> Address:
        return at("sums", mul(mod(t, self.copies), self.tiling.rows * sum_pitch(self.sizes()[2])))

    def norm_tile(self, t: Number) -> Address:
        return at("norm", mul(mod(t, NORMS), self.tiling.rows * NORM_BYTES))

    def out_tile(self, turn: Number) -> Address:
        return at("out", mul(mod(turn, 2), self.tiling.rows * self.sizes()[2]))

    def out_free(self, t: Number) -> tuple[Stmt, ...]:
        """Wait until the results of two tiles ago have left the buffer that those of a tile will take."""
        return wait_out(self.turn(t), self.heads * self.count)

    def store(self, t: Number) -> Dma:
        """Start storing the results of a tile."""
        width = self.sizes()[2]
        target = rows_in_l2(
            self.context, self.stage.op.output, mul(t, self.tiling.rows), mul(self.head, width)
        )
        pitch, turn = self.context.layouts[self.stage.op.output].pitch_bytes, self.turn(t)
        slot = Slot("out", mod(turn, 2))
        return Dma(slot, "out", self.out_tile(turn), target, self.rows(t), Const(width), Const(pitch))

    def tile_lines(self, number: int) -> tuple[int, int]:
        """Return how many rows of a head K or V transposed has, and those of a tile."""
        _, keys, width = self.sizes()
        return (keys, self.tiling.keys) if number == 1 else (width, self.tiling.channels)

    def tiles_of(self, number: int) -> int:
        return tiles(*self.tile_lines(number))

    def load_tile(self, number: int, head: Number, j: Number, running: Expr) -> Dma:
        """Start loading a tile of K or of V transposed."""
        whole, tile = self.tile_lines(number)
        source = rows_in_l2(self.context, self.stage.op.inputs[number], add(mul(head, whole), mul(j, tile)))
        size_bytes = mul(tile_size(j, tile, whole), self.pitch(number))
        return load(Slot("raw", mod(running, 2)), self.raw_tile(running), source, size_bytes)

    def raw_tile(self, running: Number) -> Address:
        """Return where K or V lies before it is packed; those that are streamed, where scores lie later."""
        buffer, slot_bytes = raw_slot(self.context.staged, self.stage, self.tiling)
        return at(buffer, mul(mod(running, 2), slot_bytes))

    # ------------------------------------------------------------ calls

    def call(self, kernel: Kernel, *operands: Operand, **numbers: Number) -> Call:
        given = {each.field: each for each in operands}
        return kernel_call(self.context.graph, self.stage.op, kernel, given, numbers, self.tables())

    def tables(self) -> Tables:
        return Tables.of(self.context.staged.packed[self.stage.number])

    def scratch(self, field: str, row: Number, column_bytes: Number = 0) -> Part:
        name = own_name(self.context.graph, f"{self.stage.op.output}.{field}")
        return part(name, row, column_bytes)

    def pack_call(self, number: int, j: Number, running: Expr, packed: Address | None = None) -> Call:
        """Return the call that packs a tile of K, with the bias of each of its scores, or of V.

        packed: where, if not behind the tiles before it.
        """
        op, (_, keys, width) = self.stage.op, self.sizes()
        whole, tile = self.tile_lines(number)
        of_keys, depth = number == 1, width if number == 1 else keys
        name, first = "keys" if of_keys else "values", mul(j, tile)
        row = add(mul(self.head, whole), first)
        bias = "key_bias" if of_keys else "value_bias"
        return self.call(
            PACK,
            operand("x", self.raw_tile(running), part(op.inputs[number], row)),
            operand("weight", packed or at(name, mul(first, packed_pitch(depth))), self.scratch(name, row)),
            operand("bias", at(bias, mul(first, WORD)), self.scratch(bias, 0, mul(row, WORD))),
            x_pitch=self.pitch(number),
            rows=tile_size(j, tile, whole),
            depth=depth,
            offset=OFFSET if of_keys else 0,
            half=Lookup("half", expr(self.head)) if of_keys else 0,
        )

    def scores_job(self, t: Number, j: Number = 0, packed: Address | None = None) -> Call:
        """Return the job of the scores of a tile of queries; with a tile of keys, if that is packed apart."""
        op, (_, keys, width) = self.stage.op, self.sizes()
        first: Number = 0 if packed is None else mul(j, self.tiling.keys)
        channels = keys if packed is None else tile_size(j, self.tiling.keys, keys)
        row, key, scores = self.row(t), add(mul(self.head, keys), first), self.scores_tile(t)
        return self.call(
            SUMS,
            operand("x", self.q_tile(self.turn(t)), part(op.inputs[0], row)),
            operand("weight", packed or at("keys"), self.scratch("keys", key)),
            operand("bias", at("key_bias", mul(first, WORD)), self.scratch("key_bias", 0, mul(key, WORD))),
            operand("y", moved_by(scores, mul(first, WORD)), self.scratch("scores", row, mul(first, WORD))),
            rows=self.rows(t),
            depth=width,
            channels=channels,
            head_channels=channels,
            x_pitch=self.pitch(0),
            y_pitch=score_pitch(keys),
            shift=Lookup("score_shift", expr(self.head)),
        )

    def softmax_call(self, t: Number) -> Call:
        op, (_, keys, _), row = self.stage.op, self.sizes(), self.row(t)
        return self.call(
            JOB_SOFTMAX,
            operand("scores", self.scores_tile(t), self.scratch("scores", row)),
            self.tables().operand(op, "exp_table", mul(self.head, EXP_TABLE_BYTES)),
            operand("p", self.p_tile(t), self.scratch("p", row)),
            operand("norm", self.norm_tile(t), self.scratch("norm", 0, mul(row, NORM_BYTES))),
            rows=self.rows(t),
            scores_pitch=score_pitch(keys),
            p_pitch=odd_pitch(keys),
        )

    def means_job(self, t: Number) -> Call:
        """Return the job of the sums of V, weighted by the probabilities of a tile."""
        _, keys, width = self.sizes()
        row, first = self.row(t), mul(self.head, width)
        return self.call(
            SUMS,
            operand("x", self.p_tile(t), self.scratch("p", row)),
            operand("weight", at("values"), self.scratch("values", first)),
            operand("bias", at("value_bias"), self.scratch("value_bias", 0, mul(first, WORD))),
            operand("y", self.sums_tile(t), self.scratch("sums", row)),
            rows=self.rows(t),
            depth=keys,
            channels=width,
            head_channels=width,
            x_pitch=odd_pitch(keys),
            y_pitch=sum_pitch(width),
            shift=0,
        )

    def divide_call(self, t: Number) -> Call:
        op, width, row = self.stage.op, self.sizes()[2], self.row(t)
        made = part(op.output, mul(t, self.tiling.rows), mul(self.head, width))
        return self.call(
            DIVIDE,
            operand("sums", self.sums_tile(t), self.scratch("sums", row)),
            operand("norm", self.norm_tile(t), self.scratch("norm", 0, mul(row, NORM_BYTES))),
            operand("y", self.out_tile(self.turn(t)), made),
            rows=self.rows(t),
            channels=width,
            sums_pitch=sum_pitch(width),
            y_pitch=width,
        )


def before(number: Number, count: int) -> Expr:
    """Return a number less another, which is not above it."""
    known = expr(number)
    return Const(known.value - count) if isinstance(known, Const) else Binary("-", known, Const(count))
