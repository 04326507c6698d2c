"""When blocks arrive from L3, and what stages wait for them."""

from __future__ import annotations

from collections.abc import Sequence

from tmc.backend_gap9.plan.plan import Residency
from tmc.backend_gap9.target.cost import fetch_cycles
from tmc.backend_gap9.target.target import Target


def waits_for_l3(
    residencies: Sequence[Residency], stage_cycles: Sequence[int], target: Target
) -> tuple[int, ...]:
    """Return the cycles that each stage waits for blocks from L3 in one inference.

    A stage asks for its fetches at its start; the channel takes one after the other.
    """
    now = free_at = 0
    waits: list[int] = []
    done: dict[str, int] = {}
    for stage, cycles in enumerate(stage_cycles):
        for each in residencies:
            if not each.resident and each.fetch_stage == stage:
                free_at = max(free_at, now) + fetch_cycles(target, each.block.size_bytes)
                done[each.block.name] = free_at
        own = [
            done[each.block.name] for each in residencies if not each.resident and each.block.stage == stage
        ]
        waits.append(max((*own, now)) - now)
        now += waits[-1] + cycles
    return tuple(waits)
