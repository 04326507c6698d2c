"""Schedule of an attention whose products are jobs, where L1 has no room for K and V of a head, packed.

For every head the cores pack V transposed, which stays, and K, whose packed tiles take the place of K itself
in L2; nobody else reads it. For each tile of query rows they come back through three buffers, with a job of
scores for every one. Then, while the cores make the softmax of tile t, the accelerator has V's product of
t - 1; while scores of t are computed, they divide t - 2. Before the first scores, raw tiles of K and V lie
where these will.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tmc.backend_gap9.kernels.attention_turns import STREAM_BUFFERS
from tmc.backend_gap9.kernels.ne16 import packed_pitch
from tmc.backend_gap9.program.expressions import Number, add, mod, mul, tile_size
from tmc.backend_gap9.program.program import Address, Const, Dma, Expr, Job, JobEnd, Loop, Slot, Stmt
from tmc.backend_gap9.schedule.attention_parts import AttentionParts, J, T, before
from tmc.backend_gap9.schedule.context import (
    BARRIER,
    at,
    equal,
    less,
    load,
    named,
    rows_in_l2,
    stage_prologue,
    wait,
    when,
)


@dataclass(frozen=True, slots=True)
class AttentionStreams(AttentionParts):
    """V of a head is packed in L1; K comes tile by tile."""

    def statements(self) -> tuple[Stmt, ...]:
        total = self.heads * self.count
        ahead = [self.load_q(Const(turn)) for turn in range(min(2, total))]
        inner = (*self.packing(), *self.turns())
        return (
            *stage_prologue(self.context, self.stage, *ahead),
            *((Loop("head", self.heads, inner),) if self.heads > 1 else inner),
            *(wait("out", index) for index in range(min(2, total))),
        )

    # ------------------------------------------------------------ packing

    def packing(self) -> tuple[Stmt, ...]:
        """Return the statements that pack V and K of a head, and bring the first tiles of the latter back."""
        k_tiles, v_tiles = self.tiles_of(1), self.tiles_of(2)
        return (
            self.load_tile(2, self.head, 0, Const(0)),
            *_loop(v_tiles, self.pack_v),
            *_loop(k_tiles, self.pack_k),
            *(wait("kv", index) for index in range(2)),
            *(self.load_packed(j, Const(j)) for j in range(STREAM_BUFFERS)),
        )

    def pack_v(self, j: Number) -> tuple[Stmt, ...]:
        count, following = self.tiles_of(2), add(j, 1)
        return (
            wait("raw", mod(j, 2)),
            BARRIER,
            *when(less(following, count), self.load_tile(2, self.head, following, following)),
            *when(less(count - 1, following), self.load_tile(1, self.head, 0, Const(count))),
            self.pack_call(2, j, add(j)),
        )

    def pack_k(self, j: Number) -> tuple[Stmt, ...]:
        """Return the statements that pack a tile of K and put it into the place of K."""
        count, running = self.tiles_of(1), add(j, self.tiles_of(2))
        packed = self.packed_tile(j)
        slot, size_bytes = Slot("kv", mod(j, 2)), self.packed_bytes(j)
        return (
            wait("raw", mod(running, 2)),
            *when(less(1, j), wait("kv", mod(j, 2))),
            BARRIER,
            *when(less(add(j, 1), count), self.load_tile(1, self.head, add(j, 1), add(running, 1))),
            self.pack_call(1, j, running, packed),
            BARRIER,
            Dma(slot, "out", packed, self.packed_in_l2(j), Const(1), size_bytes, size_bytes),
        )

    # ------------------------------------------------------------ packed tiles of K

    def packed_bytes(self, j: Number) -> Expr:
        return mul(tile_size(j, self.tiling.keys, self.sizes()[1]), packed_pitch(self.sizes()[2]))

    def packed_in_l2(self, j: Number) -> Address:
        """Return where a packed tile of K lies in L2: from the first of its own rows on."""
        row = add(mul(self.head, self.sizes()[1]), mul(j, self.tiling.keys))
        return rows_in_l2(self.context, self.stage.op.inputs[1], row)

    def packed_tile(self, running: Number) -> Address:
        return at("kv", mul(mod(running, STREAM_BUFFERS), self.tiling.keys * packed_pitch(self.sizes()[2])))

    def load_packed(self, j: Number, running: Expr) -> Dma:
        return load(
            Slot("kv", mod(running, STREAM_BUFFERS)),
            self.packed_tile(running),
            self.packed_in_l2(j),
            self.packed_bytes(j),
        )

    # ------------------------------------------------------------ turns

    def turns(self) -> tuple[Stmt, ...]:
        """Return the statements of all tiles of query rows of a head, and of the end of the last ones."""
        count, k_tiles, last = self.count, self.tiles_of(1), self.count - 1
        bind, running = named("first", mul(T, k_tiles))
        behind = self.turn(add(T, 2))
        body = (
            *bind,
            wait("q", mod(self.turn(T), 2)),
            *self.start_scores(T, 0, running),
            *self.start_scores(T, 1, add(running, 1)),
            *when(less(1, T), self.divide_call(before(T, 2))),
            BARRIER,
            *when(less(1, T), self.store(before(T, 2))),
            Loop("j", k_tiles, self.scores_tile_end(running)),
            BARRIER,
            *when(less(behind, self.heads * count), self.load_q(behind)),
            self.softmax_call(T),
            *when(less(0, T), JobEnd(self.means_slot(running), self.means_job(before(T, 1)))),
            *when(less(0, T), *self.out_free(before(T, 1))),
            BARRIER,
        )
        slot = Slot("job", Const(0))
        return (
            Loop("t", count, body),
            self.divide_call(last - 1),
            BARRIER,
            self.store(last - 1),
            Job(slot, self.means_job(last)),
            JobEnd(slot, self.means_job(last)),
            *self.out_free(last),
            BARRIER,
            self.divide_call(last),
            BARRIER,
            self.store(last),
        )

    def start_scores(self, t: Number, j: Number, running: Expr) -> tuple[Stmt, ...]:
        """Return the start of the scores of a tile of keys, once that is there."""
        call = self.scores_job(t, j, self.packed_tile(running))
        return wait("kv", mod(running, STREAM_BUFFERS)), Job(self.job_slot(running), call)

    def scores_tile_end(self, first: Expr) -> tuple[Stmt, ...]:
        """Return the statements behind the scores of tile j: another one of keys comes into its place.

        The scores of the next one but one are started, or behind the last of these V's product of the query
        rows before.
        """
        k_tiles, count = self.tiles_of(1), self.count
        running, following, coming = add(first, J), add(first, J, 2), add(J, STREAM_BUFFERS)
        later = add(first, coming)
        return (
            JobEnd(self.job_slot(running), self.scores_job(T, J, self.packed_tile(running))),
            *when(less(coming, k_tiles), self.load_packed(coming, later)),
            *when(
                less(k_tiles - 1, coming),
                *when(less(add(T, 1), count), self.load_packed(before(coming, k_tiles), later)),
            ),
            *when(less(add(J, 2), k_tiles), *self.start_scores(T, add(J, 2), following)),
            *when(
                equal(J, k_tiles - 2),
                *when(less(0, T), Job(self.means_slot(first), self.means_job(before(T, 1)))),
            ),
        )

    def job_slot(self, running: Number) -> Slot:
        return Slot("job", mod(running, 2))

    def means_slot(self, first: Expr) -> Slot:
        """Return the slot of a turn's product of V: that of the scores two before it is idle."""
        return self.job_slot(add(first, self.tiles_of(1)))


def _loop(count: int, body: Callable[[Number], tuple[Stmt, ...]]) -> tuple[Stmt, ...]:
    return (Loop("j", count, body(J)),) if count > 1 else body(0)
