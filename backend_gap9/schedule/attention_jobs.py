"""Schedule of an attention whose products the accelerator computes: jobs beside what the cores do.

For every head the cores pack K and V transposed once, tile by tile as they arrive, as the weights of two
linears. Then they go through the tiles of query rows, and the queue of the accelerator never gets empty:

    the accelerator:  ... V's product of tile t - 1, scores of t + 1, V's product of t, scores of t + 2 ...
    the cores:        ... softmax of tile t, division of t - 1, softmax of t + 1 ...

In turn t, V's product of t is started as soon as the softmax of t is there, while the scores of t + 1 are
computed; the scores of t + 2 come into the buffer that it reads, behind it in the queue.
"""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.attention import DIVIDE, JOB_SOFTMAX, PACK
from tmc.backend_gap9.kernels.attention_jobs import EXP_TABLE_BYTES, NORM_BYTES
from tmc.backend_gap9.kernels.attention_turns import NORMS, WORD, score_pitch, sum_pitch
from tmc.backend_gap9.kernels.linear import SUMS
from tmc.backend_gap9.kernels.ne16 import packed_pitch
from tmc.backend_gap9.kernels.record import Kernel
from tmc.backend_gap9.plan.l1_buffers import key_value_slot_bytes
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
    Job,
    JobEnd,
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
from tmc.backend_gap9.stages.pack import own_name
from tmc.backend_gap9.stages.staged import GraphStage
from tmc.ir.graph import Graph, Op
from tmc.ir.integer.arithmetic import OFFSET
from tmc.ir.integer.qattention import QAttentionAttrs

HEAD, T, J = Var("head"), Var("t"), Var("j")
SCORES, MEANS = Slot("job", Const(0)), Slot("job", Const(1))


def schedule_attention_jobs(context: Context, stage: GraphStage) -> StageSchedule:
    """Return the schedule of an attention stage whose products are jobs."""
    tiling, attrs = context.plan.stages[stage.number].tiling, stage.op.attrs
    assert isinstance(tiling, AttentionTiling) and isinstance(attrs, QAttentionAttrs)
    body = _AttentionJobs(context, stage, tiling).statements()
    tables = {
        "score_shift": attrs.score_shift,
        "half": tuple(1 << shift >> 1 for shift in attrs.score_shift),
    }
    return StageSchedule(body, tables, _scratch(context.graph, stage.op))


def _scratch(graph: Graph, op: Op) -> dict[str, ValueShape]:
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
class _AttentionJobs:
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

    def scores_tile(self, t: Number) -> Address:
        return at("scores", mul(mod(t, 2), self.tiling.rows * score_pitch(self.sizes()[1])))

    def sums_tile(self, t: Number) -> Address:
        return at("sums", mul(mod(t, 2), self.tiling.rows * sum_pitch(self.sizes()[2])))

    def norm_tile(self, t: Number) -> Address:
        return at("norm", mul(mod(t, NORMS), self.tiling.rows * NORM_BYTES))

    def out_tile(self, turn: Number) -> Address:
        return at("out", mul(mod(turn, 2), self.tiling.rows * self.sizes()[2]))

    # ------------------------------------------------------------ statements

    def statements(self) -> tuple[Stmt, ...]:
        total = self.heads * self.count
        ahead = [self.load_q(Const(turn)) for turn in range(min(2, total))]
        inner = (*self.packing(), *self.turns())
        return (
            *stage_prologue(self.context, self.stage, self.load_tile(1, 0, 0, Const(0)), *ahead),
            *((Loop("head", self.heads, inner),) if self.heads > 1 else inner),
            *(wait("out", index) for index in range(min(2, total))),
        )

    def packing(self) -> tuple[Stmt, ...]:
        """Return the statements that pack K and V of a head; the first scores are computed meanwhile."""
        first, second = self.turn(0), add(self.turn(0), 1)
        more = (wait("q", mod(second, 2)), Job(SCORES, self.scores_job(1))) if self.count > 1 else ()
        return (
            *self.packed(1),
            BARRIER,
            wait("q", mod(first, 2)),
            Job(MEANS, self.scores_job(0)),
            *more,
            *self.packed(2),
            JobEnd(MEANS, self.scores_job(0)),
            *self.next_q(first),
            BARRIER,
        )

    def turns(self) -> tuple[Stmt, ...]:
        """Return the statements behind the packing of a head: all turns, and the end of the last tile."""
        last, count = self.count - 1, self.count
        t: Number = T if count > 1 else 0
        before_this, behind, second = before(t, 1), add(t, 1), add(t, 2)
        body = (
            self.softmax_call(t),
            *when(less(0, t), JobEnd(MEANS, self.means_job(before_this)), *self.out_free(before_this)),
            BARRIER,
            Job(MEANS, self.means_job(t)),
            *when(less(0, t), self.divide_call(before_this)),
            *when(
                less(behind, count), JobEnd(SCORES, self.scores_job(behind)), *self.next_q(self.turn(behind))
            ),
            *when(
                less(second, count),
                wait("q", mod(self.turn(second), 2)),
                Job(SCORES, self.scores_job(second)),
            ),
            BARRIER,
            *when(less(0, t), self.store(before_this)),
        )
        return (
            *((Loop("t", count, body),) if count > 1 else body),
            JobEnd(MEANS, self.means_job(last)),
            *self.out_free(last),
            BARRIER,
            self.divide_call(last),
            BARRIER,
            self.store(last),
        )

    def next_q(self, turn: Expr) -> tuple[Stmt, ...]:
        """Load the query tile of two turns behind one whose scores are there: into the same place."""
        following = add(turn, 2)
        return when(less(following, self.heads * self.count), self.load_q(following))

    def out_free(self, t: Number) -> tuple[Stmt, ...]:
        """Wait until the results of two tiles ago have left the buffer that those of a tile will take."""
        return wait_out(self.turn(t), self.heads * self.count)

    def packed(self, number: int) -> tuple[Stmt, ...]:
        """Return the statements that pack an operand, 1 for K or 2 for V; the tile after each one travels."""
        k_tiles, v_tiles = (self.tiles_of(each) for each in (1, 2))
        count = self.tiles_of(number)
        j: Number = J if count > 1 else 0
        before_tiles = k_tiles if number == 2 else 0
        bind, running = named(
            "k_tile" if number == 1 else "v_tile", add(mul(self.head, k_tiles + v_tiles), j, before_tiles)
        )
        following = add(running, 1)
        after = (
            (self.load_tile(2, self.head, 0, following),)
            if number == 1
            else when(less(add(self.head, 1), self.heads), self.load_tile(1, add(self.head, 1), 0, following))
        )
        body = (
            *bind,
            wait("kv", mod(running, 2)),
            BARRIER,
            *when(less(add(j, 1), count), self.load_tile(number, self.head, add(j, 1), following)),
            *(when(equal(j, count - 1), *after) if after else ()),
            self.pack_call(number, j, running),
        )
        return (Loop("j", count, body),) if count > 1 else body

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
        return load(Slot("kv", mod(running, 2)), self.kv_tile(running), source, size_bytes)

    def kv_tile(self, running: Number) -> Address:
        slot_bytes = key_value_slot_bytes(self.context.staged, self.stage, self.tiling)
        return at("kv", mul(mod(running, 2), slot_bytes))

    def store(self, t: Number) -> Dma:
        """Start storing the results of a tile."""
        width = self.sizes()[2]
        target = rows_in_l2(
            self.context, self.stage.op.output, mul(t, self.tiling.rows), mul(self.head, width)
        )
        pitch, turn = self.context.layouts[self.stage.op.output].pitch_bytes, self.turn(t)
        slot = Slot("out", mod(turn, 2))
        return Dma(slot, "out", self.out_tile(turn), target, self.rows(t), Const(width), Const(pitch))

    # ------------------------------------------------------------ calls

    def call(self, kernel: Kernel, *operands: Operand, **numbers: Number) -> Call:
        given = {each.field: each for each in operands}
        return kernel_call(self.context.graph, self.stage.op, kernel, given, numbers, self.tables())

    def tables(self) -> Tables:
        return Tables.of(self.context.staged.packed[self.stage.number])

    def scratch(self, field: str, row: Number, column_bytes: Number = 0) -> Part:
        name = own_name(self.context.graph, f"{self.stage.op.output}.{field}")
        return part(name, row, column_bytes)

    def pack_call(self, number: int, j: Number, running: Expr) -> Call:
        """Return the call that packs a tile of K, with the bias of each of its scores, or of V."""
        op, (_, keys, width) = self.stage.op, self.sizes()
        whole, tile = self.tile_lines(number)
        of_keys, depth = number == 1, width if number == 1 else keys
        name, first = "keys" if of_keys else "values", mul(j, tile)
        row = add(mul(self.head, whole), first)
        bias = "key_bias" if of_keys else "value_bias"
        return self.call(
            PACK,
            operand("x", self.kv_tile(running), part(op.inputs[number], row)),
            operand("weight", at(name, mul(first, packed_pitch(depth))), self.scratch(name, row)),
            operand("bias", at(bias, mul(first, WORD)), self.scratch(bias, 0, mul(row, WORD))),
            x_pitch=self.pitch(number),
            rows=tile_size(j, tile, whole),
            depth=depth,
            offset=OFFSET if of_keys else 0,
            half=Lookup("half", expr(self.head)) if of_keys else 0,
        )

    def scores_job(self, t: Number) -> Call:
        """Return the job of the scores of a tile."""
        op, (_, keys, width) = self.stage.op, self.sizes()
        row, first = self.row(t), mul(self.head, keys)
        return self.call(
            SUMS,
            operand("x", self.q_tile(self.turn(t)), part(op.inputs[0], row)),
            operand("weight", at("keys"), self.scratch("keys", first)),
            operand("bias", at("key_bias"), self.scratch("key_bias", 0, mul(first, WORD))),
            operand("y", self.scores_tile(t), self.scratch("scores", row)),
            rows=self.rows(t),
            depth=width,
            channels=keys,
            head_channels=keys,
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
            operand("p", self.scores_tile(t), self.scratch("p", row)),
            operand("norm", self.norm_tile(t), self.scratch("norm", 0, mul(row, NORM_BYTES))),
            rows=self.rows(t),
            scores_pitch=score_pitch(keys),
        )

    def means_job(self, t: Number) -> Call:
        """Return the job of the sums of V, weighted by the probabilities of a tile."""
        _, keys, width = self.sizes()
        row, first = self.row(t), mul(self.head, width)
        return self.call(
            SUMS,
            operand("x", self.scores_tile(t), self.scratch("p", row)),
            operand("weight", at("values"), self.scratch("values", first)),
            operand("bias", at("value_bias"), self.scratch("value_bias", 0, mul(first, WORD))),
            operand("y", self.sums_tile(t), self.scratch("sums", row)),
            rows=self.rows(t),
            depth=keys,
            channels=width,
            head_channels=width,
            x_pitch=score_pitch(keys),
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
