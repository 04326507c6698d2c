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

from tmc.backend_gap9.plan.plan import AttentionTiling
from tmc.backend_gap9.program.expressions import Number, add, mod, mul
from tmc.backend_gap9.program.program import (
    Const,
    Expr,
    Job,
    JobEnd,
    Loop,
    Slot,
    Stmt,
)
from tmc.backend_gap9.schedule.attention_parts import AttentionParts, J, T, before, job_scratch
from tmc.backend_gap9.schedule.attention_streams import AttentionStreams
from tmc.backend_gap9.schedule.context import (
    BARRIER,
    Context,
    equal,
    less,
    named,
    stage_prologue,
    wait,
    when,
)
from tmc.backend_gap9.schedule.form import StageSchedule
from tmc.backend_gap9.stages.staged import GraphStage
from tmc.ir.integer.qattention import QAttentionAttrs

SCORES, MEANS = Slot("job", Const(0)), Slot("job", Const(1))


@dataclass(frozen=True, slots=True)
class AttentionJobs(AttentionParts):
    """K and V of a head are packed in L1."""

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
            wait("raw", mod(running, 2)),
            BARRIER,
            *when(less(add(j, 1), count), self.load_tile(number, self.head, add(j, 1), following)),
            *(when(equal(j, count - 1), *after) if after else ()),
            self.pack_call(number, j, running),
        )
        return (Loop("j", count, body),) if count > 1 else body


def schedule_attention_jobs(context: Context, stage: GraphStage) -> StageSchedule:
    """Return the schedule of an attention stage whose products are jobs."""
    tiling, attrs = context.plan.stages[stage.number].tiling, stage.op.attrs
    assert isinstance(tiling, AttentionTiling) and isinstance(attrs, QAttentionAttrs)
    parts = AttentionStreams if tiling.streamed else AttentionJobs
    tables = {
        "score_shift": attrs.score_shift,
        "half": tuple(1 << shift >> 1 for shift in attrs.score_shift),
    }
    body = parts(context, stage, tiling).statements()
    return StageSchedule(body, tables, job_scratch(context.graph, stage.op))
