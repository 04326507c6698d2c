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
from tmc.backend_gap9.kernels.attention_jobs import NORM_BYTES, channels_read
from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.linear import SUMS, job_costs
from tmc.backend_gap9.kernels.ne16 import packed_pitch
from tmc.backend_gap9.kernels.weight_rows import odd_pitch
from tmc.backend_gap9.target.target import Target

NORMS = 2  # tiles of divisors: one is divided by while another is made
WORD = 4


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of a head: cycles of the cores, with what starts jobs; of jobs; those that nothing hides."""

    compute: int = 0
    jobs: int = 0
    exposed: int = 0


def turns_of(target: Target, turns: Sequence[int], keys: int, width: int) -> Turns:
    """Return what the turns of a head take, of the query rows of each, from the first scores on."""

    def job(rows: int, channels: int, depth: int) -> int:
        return ceil(SUMS.core_cycles(target, {"rows": rows, "channels": channels, "depth": depth}))

    scores = [job(rows, keys, width) for rows in turns]
    means = [job(rows, width, keys) for rows in turns]
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


def cycles_with_jobs(target: Target, heads: int, turns: Sequence[int], keys: int, width: int) -> int:
    """Return what an attention takes with jobs, of the query rows of a head's turns; without transfers."""
    packing = ((keys, width), (width, keys))
    packed = sum(call_cycles(target, PACK, {"rows": rows, "depth": depth}) for rows, depth in packing)
    beside = turns_of(target, turns, keys, width)
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


def held_bytes(rows: int, keys: int, width: int) -> Mapping[str, int]:
    """Return the L1 buffers that follow from the tile of query rows: of two of them, of three divisors.

    K and V of a head are packed.
    """
    return {
        "keys": keys * packed_pitch(width),
        "key_bias": channels_read(keys) * WORD,
        "values": width * packed_pitch(keys),
        "value_bias": channels_read(width) * WORD,
        "scores": 2 * rows * score_pitch(keys),
        "sums": 2 * rows * sum_pitch(width),
        "norm": NORMS * rows * NORM_BYTES,
        "out": 2 * rows * width,
    }
