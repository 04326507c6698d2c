"""Schedule of an attention stage: for every head and every tile of query rows, scores, softmax, values.

Where a turn has several heads at once, "head" is a group of them below.

Tiles of K and of V transposed stream through one double buffer `kv`: while one is used the next one travels,
across the softmax and from one query tile to the next. Scores never leave L1. Lines of a bias come with the
queries that they belong to, the row of a mask before all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.attention import (
    SHIFT_BITS,
    SOFTMAX,
    SOFTMAX_BIAS,
    bias_of,
    bias_pitch,
    mask_of,
    scores_of,
    values_of,
)
from tmc.backend_gap9.kernels.attention_jobs import EXP_TABLE_BYTES, NORM_BYTES
from tmc.backend_gap9.kernels.record import Kernel
from tmc.backend_gap9.kernels.weight_rows import odd_pitch
from tmc.backend_gap9.plan.l1_buffers import bias_line_bytes, key_value_slot_bytes, mask_bytes
from tmc.backend_gap9.plan.plan import AttentionTiling
from tmc.backend_gap9.program.buffers import ValueShape
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
from tmc.backend_gap9.stages.pack import line_blocks, own_name
from tmc.backend_gap9.stages.staged import GraphStage
from tmc.ir.graph import Graph, Op
from tmc.ir.integer.qattention import QAttentionAttrs

HEAD, T, J = Var("head"), Var("t"), Var("j")


def schedule_attention(context: Context, stage: GraphStage) -> StageSchedule:
    """Return the schedule of an attention stage."""
    tiling, attrs = context.plan.stages[stage.number].tiling, stage.op.attrs
    assert isinstance(tiling, AttentionTiling) and isinstance(attrs, QAttentionAttrs)
    body = _Attention(context, stage, tiling).statements()
    shifts = [0] * (attrs.heads // tiling.heads)
    for head, shift in enumerate(attrs.score_shift):
        group, within = divmod(head, tiling.heads)
        shifts[group] |= shift << SHIFT_BITS * within
    return StageSchedule(body, {"score_shift": tuple(shifts)}, _scratch(context.graph, stage.op))


def _scratch(graph: Graph, op: Op) -> dict[str, ValueShape]:
    """Return the values that live only in L1: scores, their exponentials and the divisors of every row."""
    heads, rows, _ = graph.types[op.inputs[0]].shape
    keys = graph.types[op.inputs[1]].shape[1]
    return {
        _scratch_name(graph, op, "scores"): ValueShape(heads * rows, keys * 2),
        _scratch_name(graph, op, "p"): ValueShape(heads * rows, keys),
        _scratch_name(graph, op, "norm"): ValueShape(1, heads * rows * NORM_BYTES),
    }


def _scratch_name(graph: Graph, op: Op, field: str) -> str:
    return own_name(graph, f"{op.output}.{field}")


@dataclass(frozen=True, slots=True)
class _Attention:
    context: Context
    stage: GraphStage
    tiling: AttentionTiling

    @property
    def attrs(self) -> QAttentionAttrs:
        assert isinstance(self.stage.op.attrs, QAttentionAttrs)
        return self.stage.op.attrs

    @property
    def groups(self) -> int:
        """How many times the heads of a turn there are."""
        return self.attrs.heads // self.tiling.heads

    def sizes(self) -> tuple[int, int, int]:
        """Return query rows, keys and head width."""
        types = self.context.graph.types
        _, rows, width = types[self.stage.op.inputs[0]].shape
        return rows, types[self.stage.op.inputs[1]].shape[1], width

    def pitch(self, operand_number: int) -> int:
        return self.context.layouts[self.stage.op.inputs[operand_number]].pitch_bytes

    @property
    def scores_pitch(self) -> int:
        return odd_pitch(self.sizes()[1] * 2)

    # ------------------------------------------------------------ transfers

    def load_q(self, turn: Expr) -> Dma:
        """Start loading the query tile of a turn; turns count query tiles over all heads."""
        rows, _, _ = self.sizes()
        count = tiles(rows, self.tiling.rows)
        heads = self.tiling.heads
        first = add(mul(div(turn, count), heads * rows), mul(mod(turn, count), self.tiling.rows))
        taken = tile_size(mod(turn, count), self.tiling.rows, rows)
        return load(
            Slot("q", mod(turn, 2)),
            self.q_tile(turn),
            rows_in_l2(self.context, self.stage.op.inputs[0], first),
            mul(taken, heads * self.pitch(0)),
        )

    def load_bias(self, turn: Expr) -> tuple[Dma, ...]:
        """Start loading the lines of a bias for the query tile of a turn, if it has one for each query."""
        block = self.bias_block
        if block is None:
            return ()
        rows, pitch = self.sizes()[0], bias_line_bytes(self.context.staged, self.stage)
        count = tiles(rows, self.tiling.rows)
        first = self.bias_line(div(turn, count), mul(mod(turn, count), self.tiling.rows))
        taken = tile_size(mod(turn, count), self.tiling.rows, rows)
        slot = Slot("bias", mod(turn, 2))
        return (load(slot, self.bias_tile(turn), at(block, mul(first, pitch)), mul(taken, pitch)),)

    def load_mask(self) -> tuple[Dma, ...]:
        """Start loading the computed row that is added to all scores, if there is one."""
        mask = mask_of(self.context.graph, self.stage.op)
        if mask is None:
            return ()
        size = Const(mask_bytes(self.context.staged, self.stage))
        return (load(Slot("mask", Const(0)), at("mask"), rows_in_l2(self.context, mask, 0), size),)

    @property
    def bias_block(self) -> str | None:
        """The block of a bias with a line for each query."""
        blocks = line_blocks(self.context.graph, self.stage, self.stage.op)
        return next(iter(blocks.values()), None)

    def bias_line(self, head: Number, row: Number) -> Expr:
        """Return the number of the line for a query of a head."""
        heads, rows, _ = self.context.graph.types[self.stage.op.inputs[4]].shape
        return add(mul(head, rows) if heads > 1 else 0, row if rows > 1 else 0)

    def bias_tile(self, turn: Number) -> Address:
        tile_bytes = self.tiling.rows * bias_line_bytes(self.context.staged, self.stage)
        return at("bias", mul(mod(turn, 2), tile_bytes))

    def q_tile(self, turn: Number) -> Address:
        return at("q", mul(mod(turn, 2), self.tiling.heads * self.tiling.rows * self.pitch(0)))

    def out_tile(self, turn: Number) -> Address:
        return at("out", mul(mod(turn, 2), self.tiling.rows * self.out_bytes))

    @property
    def out_width(self) -> int:
        """Columns of the result that a turn makes."""
        return self.tiling.heads * self.sizes()[2]

    @property
    def out_bytes(self) -> int:
        """Bytes of a row of them."""
        return self.out_width * self.context.graph.types[self.stage.op.output].dtype.size_bytes

    def kv_tile(self, running: Number) -> Address:
        slot_bytes = key_value_slot_bytes(self.context.staged, self.stage, self.tiling)
        return at("kv", mul(mod(running, 2), slot_bytes))

    def load_k(self, head: Number, j: Number, running: Expr) -> Dma:
        _, keys, _ = self.sizes()
        heads = self.tiling.heads
        first = add(mul(head, heads * keys), mul(j, self.tiling.keys))
        return load(
            Slot("kv", mod(running, 2)),
            self.kv_tile(running),
            rows_in_l2(self.context, self.stage.op.inputs[1], first),
            mul(tile_size(j, self.tiling.keys, keys), heads * self.pitch(1)),
        )

    def load_v(self, head: Number, j: Number, running: Expr) -> Dma:
        _, _, width = self.sizes()
        first = add(mul(head, self.out_width), mul(j, self.tiling.channels))
        return load(
            Slot("kv", mod(running, 2)),
            self.kv_tile(running),
            rows_in_l2(self.context, self.stage.op.inputs[2], first),
            mul(tile_size(j, self.tiling.channels, width), self.tiling.heads * self.pitch(2)),
        )

    # ------------------------------------------------------------ statements

    def statements(self) -> tuple[Stmt, ...]:
        rows, _, _ = self.sizes()
        count = tiles(rows, self.tiling.rows)
        turns = self.groups * count
        body = self.query_tile(T if count > 1 else 0, count)
        inner = (Loop("t", count, body),) if count > 1 else body
        outer = (Loop("head", self.groups, inner),) if self.groups > 1 else inner
        return (
            *stage_prologue(
                self.context,
                self.stage,
                self.load_q(Const(0)),
                *self.load_bias(Const(0)),
                *self.load_mask(),
                self.load_k(0, 0, Const(0)),
            ),
            *((wait("mask"),) if self.load_mask() else ()),
            *outer,
            *(wait("out", index) for index in range(min(2, turns))),
        )

    def query_tile(self, t: Number, count: int) -> tuple[Stmt, ...]:
        """Return the statements for one tile of query rows of one head."""
        rows_total, keys, width = self.sizes()
        head: Number = HEAD if self.groups > 1 else 0
        bind, turn = named("turn", add(mul(head, count), t))
        more = less(add(turn, 1), self.groups * count)
        rows = tile_size(t, self.tiling.rows, rows_total)
        row = add(mul(head, self.tiling.heads * rows_total), mul(t, self.tiling.rows))
        k_tiles, v_tiles = tiles(keys, self.tiling.keys), tiles(width, self.tiling.channels)
        body: list[Stmt] = [*bind, wait("q", mod(turn, 2))]
        if self.load_bias(turn):
            body.append(wait("bias", mod(turn, 2)))
        j: Number = J if k_tiles > 1 else 0
        bind, running = named("k_tile", add(mul(turn, k_tiles + v_tiles), j))
        scores = (
            *bind,
            *self.k_step(head, j, running, k_tiles),
            self.scores_call(head, j, turn, running, rows, row),
        )
        body += [Loop("j", k_tiles, scores)] if k_tiles > 1 else scores
        body += [
            BARRIER,
            *when(more, self.load_q(add(turn, 1)), *self.load_bias(add(turn, 1))),
            self.softmax_call(head, t, turn, rows, row),
            *wait_out(turn, self.groups * count),
        ]
        j = J if v_tiles > 1 else 0
        bind, running = named("v_tile", add(mul(turn, k_tiles + v_tiles), j, k_tiles))
        values = (
            *bind,
            *self.v_step(head, j, turn, running, v_tiles, count),
            self.values_call(head, j, turn, running, t, rows, row),
        )
        body += [Loop("j", v_tiles, values)] if v_tiles > 1 else values
        out_pitch = self.context.layouts[self.stage.op.output].pitch_bytes
        target = rows_in_l2(
            self.context, self.stage.op.output, mul(t, self.tiling.rows), mul(head, self.out_bytes)
        )
        body += [
            BARRIER,
            Dma(
                Slot("out", mod(turn, 2)),
                "out",
                self.out_tile(turn),
                target,
                rows,
                Const(self.out_bytes),
                Const(out_pitch),
            ),
        ]
        return tuple(body)

    def k_step(self, head: Number, j: Number, running: Expr, k_tiles: int) -> tuple[Stmt, ...]:
        """Wait for a tile of K; the tile after it leaves, which is the first of V after the last of K."""
        following = add(running, 1)
        return (
            wait("kv", mod(running, 2)),
            BARRIER,
            *when(less(add(j, 1), k_tiles), self.load_k(head, add(j, 1), following)),
            *when(equal(j, k_tiles - 1), self.load_v(head, 0, following)),
        )

    def v_step(
        self, head: Number, j: Number, turn: Expr, running: Expr, v_tiles: int, count: int
    ) -> tuple[Stmt, ...]:
        """Wait for a tile of V; the tile after it leaves: after the last one the next turn's first of K."""
        following = add(running, 1)
        next_k = when(
            less(add(turn, 1), self.groups * count),
            self.load_k(div(add(turn, 1), count), 0, following),
        )
        return (
            wait("kv", mod(running, 2)),
            BARRIER,
            *when(less(add(j, 1), v_tiles), self.load_v(head, add(j, 1), following)),
            *(when(equal(j, v_tiles - 1), *next_k) if next_k else ()),
        )

    # ------------------------------------------------------------ calls

    def call(self, kernel: Kernel, *operands: Operand, **numbers: Number) -> Call:
        given = {each.field: each for each in operands}
        tables = Tables.of(self.context.staged.packed[self.stage.number])
        return kernel_call(self.context.graph, self.stage.op, kernel, given, numbers, tables)

    def scratch(self, field: str, row: Number, column_bytes: Number = 0) -> Part:
        return part(_scratch_name(self.context.graph, self.stage.op, field), row, column_bytes)

    def scores_call(self, head: Number, j: Number, turn: Expr, running: Expr, rows: Expr, row: Expr) -> Stmt:
        op, (_, keys, _) = self.stage.op, self.sizes()
        column_bytes = mul(j, self.tiling.keys * 2)
        key = add(mul(head, self.tiling.heads * keys), mul(j, self.tiling.keys))
        return self.call(
            scores_of(self.context.graph, op),
            operand("q", self.q_tile(turn), part(op.inputs[0], row)),
            operand("k", self.kv_tile(running), part(op.inputs[1], key)),
            operand("scores", at("scores", column_bytes), self.scratch("scores", row, column_bytes)),
            rows=rows,
            keys=tile_size(j, self.tiling.keys, keys),
            q_pitch=self.pitch(0),
            k_pitch=self.pitch(1),
            scores_pitch=self.scores_pitch,
            heads=self.tiling.heads,
            shift=Lookup("score_shift", expr(head)),
        )

    def softmax_call(self, head: Number, t: Number, turn: Expr, rows: Expr, row: Expr) -> Stmt:
        op = self.stage.op
        tables = Tables.of(self.context.staged.packed[self.stage.number])
        operands = [
            operand("scores", at("scores"), self.scratch("scores", row)),
            tables.operand(op, "exp_table", mul(head, self.tiling.heads * EXP_TABLE_BYTES)),
            operand("p", at("scores"), self.scratch("p", row)),
            operand("norm", at("norm"), self.scratch("norm", 0, mul(row, NORM_BYTES))),
        ]
        numbers: dict[str, Number] = {
            "rows": rows,
            "scores_pitch": self.scores_pitch,
            "heads": self.tiling.heads,
        }
        if bias_of(op) is None:
            return self.call(SOFTMAX, *operands, **numbers)
        mask = mask_of(self.context.graph, op)
        if mask is not None:
            operands.append(operand("bias", at("mask"), part(mask, 0)))
            numbers |= {"bias_rows": 1, "bias_pitch": mask_bytes(self.context.staged, self.stage)}
            return self.call(SOFTMAX_BIAS, *operands, **numbers)
        block, pitch = self.bias_block, bias_pitch(self.sizes()[1])
        line = self.bias_line(head, mul(t, self.tiling.rows))
        operands.append(
            tables.operand(op, "bias", mul(line, pitch))
            if block is None
            else operand("bias", self.bias_tile(turn), part(block, line))
        )
        numbers |= {"bias_rows": 1 if block is None else rows, "bias_pitch": pitch}
        return self.call(SOFTMAX_BIAS, *operands, **numbers)

    def values_call(
        self, head: Number, j: Number, turn: Expr, running: Expr, t: Number, rows: Expr, row: Expr
    ) -> Stmt:
        op, (_, _, width) = self.stage.op, self.sizes()
        out = self.out_tile(turn)
        first = add(mul(head, self.out_width), mul(j, self.tiling.channels))
        column_bytes = mul(j, self.tiling.channels * (self.out_bytes // self.out_width))
        made = part(op.output, mul(t, self.tiling.rows), add(mul(head, self.out_bytes), column_bytes))
        return self.call(
            values_of(self.context.graph, op),
            operand("p", at("scores"), self.scratch("p", row)),
            operand("vt", self.kv_tile(running), part(op.inputs[2], first)),
            operand("norm", at("norm"), self.scratch("norm", 0, mul(row, NORM_BYTES))),
            operand("y", at(out.buffer, add(out.offset_bytes, column_bytes)), made),
            rows=rows,
            channels=tile_size(j, self.tiling.channels, width),
            p_pitch=self.scores_pitch,
            vt_pitch=self.pitch(2),
            y_pitch=self.out_bytes,
            heads=self.tiling.heads,
        )
