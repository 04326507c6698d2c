"""What an attention takes whose products the accelerator computes, by tiles of query rows; and on cores.

The queue of the accelerator has the scores of tiles 0 and 1, then V's product of tile t and the scores of
t + 2, for every t. In turn t the cores have the softmax of t, which V's product of t needs, and the division
of t - 1. Where one waits for the other, `schedule/attention_jobs.py` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from tmc.backend_gap9.kernels.attention import (
    DIVIDE,
    JOB_SOFTMAX,
    MOST_HEADS,
    PACK,
    SCORES,
    SOFTMAX,
    VALUES,
)
from tmc.backend_gap9.kernels.attention_jobs import EXP_TABLE_BYTES, NORM_BYTES, channels_read
from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.linear import SUMS, job_costs
from tmc.backend_gap9.kernels.ne16 import packed_pitch
from tmc.backend_gap9.kernels.weight_rows import odd_pitch
from tmc.backend_gap9.target.target import Target

NORMS = 2  # tiles of divisors: one is divided by while another is made
WORD = 4
TILE_LINES = 16  # of K or V, on their way to be packed: fewer are not worth a call
STREAMED_KEYS = 32  # the fewest of a tile that comes packed
STREAM_BUFFERS = 3  # of such tiles: scores of two are in the queue of the accelerator while one comes


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of a head: cycles of the cores, with what starts jobs; of jobs; those that nothing hides."""

    compute: int = 0
    jobs: int = 0
    exposed: int = 0


def _job(target: Target, rows: int, channels: int, depth: int) -> int:
    """Return the cycles of the accelerator for a product."""
    return ceil(SUMS.core_cycles(target, {"rows": rows, "channels": channels, "depth": depth}))


def turns_of(target: Target, turns: Sequence[int], keys: int, width: int) -> Turns:
    """Return what the turns of a head take, of the query rows of each, from the first scores on."""

    scores = [_job(target, rows, keys, width) for rows in turns]
    means = [_job(target, rows, width, keys) for rows in turns]
    softmax = [call_cycles(target, JOB_SOFTMAX, {"rows": rows, "keys": keys}) for rows in turns]
    divide = [call_cycles(target, DIVIDE, {"rows": rows, "channels": width}) for rows in turns]
    # The cores' accesses to L1 hold up the accelerator's.
    held_up = [int(job_costs(target).delay_cycles(each, 0)) for each in softmax]
    start = target.calls.job_cycles
    # Both ends of the queue: where the cores are, and until when the accelerator works.
    now = scores[0]
    free = scores[0] + sum(scores[1:2]) + held_up[0]
    scores_end, means_end = free, 0
    for t in range(len(turns)):
        now = max(now + softmax[t], means_end) + start
        free = means_end = max(free, now) + means[t]
        now += divide[t - 1] if t else 0
        if t + 1 < len(turns):
            now = max(now, scores_end)
        if t + 2 < len(turns):
            now += start
            free = scores_end = max(free, now) + scores[t + 2] + held_up[t + 1]
    now = max(now, means_end) + divide[-1]
    compute = sum(softmax) + sum(divide) + 2 * len(turns) * start
    first = start * min(2, len(turns))
    return Turns(compute, sum(scores) + sum(means), now + first - compute)


def k_is_streamed(target: Target, heads: int, rows: int, keys: int, width: int) -> bool:
    """Tell whether K of a head, packed, has no room in L1 beside V, whatever the tiles of its query rows."""
    return not _fits(target, heads, rows, keys, width, streamed=False)


def has_room(target: Target, heads: int, rows: int, keys: int, width: int) -> bool:
    """Tell whether L1 has room for an attention with jobs, its K streamed or not."""
    return any(_fits(target, heads, rows, keys, width, streamed=streamed) for streamed in (False, True))


def _fits(target: Target, heads: int, rows: int, keys: int, width: int, *, streamed: bool) -> bool:
    """Tell whether L1 has room for a group of query rows, and for tiles of K and V that are worth a call."""
    rows = min(rows, job_costs(target).rows)
    raw_bytes = max(STREAMED_KEYS * odd_pitch(width), WORD * odd_pitch(keys))
    if streamed and raw_bytes > raw_room(rows, keys):
        return False
    held = held_bytes(rows, keys, width, streamed=streamed)
    tiles_bytes = (
        STREAM_BUFFERS * STREAMED_KEYS * packed_pitch(width)
        if streamed
        else 2 * TILE_LINES * odd_pitch(max(keys, width))
    )
    tables = heads * EXP_TABLE_BYTES + channels_read(max(keys, width))
    # Each buffer starts at a word.
    moved = 2 * rows * odd_pitch(width) + tiles_bytes + tables + WORD * (len(held) + 3)
    return sum(held.values()) + moved <= target.l1_usable_bytes


def raw_room(rows: int, keys: int) -> int:
    """Return the bytes of each of two tiles of K or V that have room where scores of a tile lie later."""
    return rows * score_pitch(keys) // 2 // WORD * WORD


def streamed_turns_of(
    target: Target, turns: Sequence[int], keys: Sequence[int], width: int, tile_cycles: Sequence[int]
) -> Turns:
    """Return what the turns of a head take where K is streamed, in tiles of so many keys.

    tile_cycles: of their transfers. When a job has ended, the job of the next tile but one is described, and
    the tile behind that comes; V's product hides behind the softmax, or does not; a division behind the first
    scores.
    """
    total, start = sum(keys), target.calls.job_cycles
    compute = jobs = elapsed = 0
    for rows in dict.fromkeys(turns):
        times = turns.count(rows)
        scores = [_job(target, rows, count, width) for count in keys]
        means = _job(target, rows, width, total)
        softmax = call_cycles(target, JOB_SOFTMAX, {"rows": rows, "keys": total})
        divide = call_cycles(target, DIVIDE, {"rows": rows, "channels": width})
        # Half of the waits and starts of transfers that a call has.
        chain = start + target.calls.startup_cycles // 2
        between = [max(job, chain, tile) for job, tile in zip(scores, tile_cycles, strict=True)]
        held_up = int(job_costs(target).delay_cycles(softmax, 0))
        turn = max(2 * start + divide, sum(between)) + max(softmax, means + held_up)
        compute += times * (softmax + divide + (len(keys) + 1) * start)
        jobs += times * (sum(scores) + means)
        elapsed += times * turn
    last = _job(target, turns[-1], width, total) + divide
    return Turns(compute, jobs, max(0, elapsed + last - compute))


def cycles_with_jobs(
    target: Target, heads: int, turns: Sequence[int], keys: int, width: int, *, streamed: bool
) -> int:
    """Return what an attention takes with jobs, of the query rows of a head's turns; without transfers."""
    packing = ((keys, width), (width, keys))
    packed = sum(call_cycles(target, PACK, {"rows": rows, "depth": depth}) for rows, depth in packing)
    lines = [min(STREAMED_KEYS, keys - first) for first in range(0, keys, STREAMED_KEYS)]
    beside = (
        streamed_turns_of(target, turns, lines, width, [0] * len(lines))
        if streamed
        else turns_of(target, turns, keys, width)
    )
    return heads * (packed + beside.compute + beside.exposed)


def cycles_alone(target: Target, heads: int, rows: int, keys: int, width: int) -> int:
    """Return what an attention takes on the cores, of as many heads at once as is best: without transfers."""
    numbers = {"rows": rows, "keys": keys, "width": width, "channels": width}
    at_once = [count for count in range(1, MOST_HEADS + 1) if heads % count == 0]
    return min(
        heads
        // count
        * sum(
            call_cycles(target, kernel, {**numbers, "heads": count}) for kernel in (SCORES, SOFTMAX, VALUES)
        )
        for count in at_once
    )


def score_pitch(keys: int) -> int:
    """Return the pitch of scores of 32 bits."""
    return odd_pitch(keys * WORD)


def sum_pitch(width: int) -> int:
    """Return the pitch of what the accelerator leaves of V."""
    return odd_pitch(width * WORD)


def held_bytes(rows: int, keys: int, width: int, *, streamed: bool) -> Mapping[str, int]:
    """Return the L1 buffers that follow from the tile of query rows, V of a head being packed.

    So is K, if it is not streamed; then there are scores and sums of two tiles, and not of one.
    """
    tiles = 1 if streamed else 2
    return {
        **({} if streamed else {"keys": keys * packed_pitch(width)}),
        "key_bias": channels_read(keys) * WORD,
        "values": width * packed_pitch(keys),
        "value_bias": channels_read(width) * WORD,
        "scores": tiles * rows * score_pitch(keys),
        "p": 2 * rows * odd_pitch(keys),
        "sums": tiles * rows * sum_pitch(width),
        "norm": NORMS * rows * NORM_BYTES,
        "out": 2 * rows * width,
    }
