"""Residency without a solver: keep the first blocks, bring all others as early as there is room for them."""

from __future__ import annotations

from collections.abc import Sequence

from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.plan import Residency
from tmc.backend_gap9.stages.staged import ConstantBlock


def stream_blocks(
    blocks: Sequence[ConstantBlock], free_bytes: Sequence[int], stages_ahead: int, *, resident: bool
) -> tuple[Residency, ...]:
    """Return a residency of blocks in the order in which stages need them; it always fits.

    free_bytes: of L2 in each stage, without blocks. stages_ahead: how early a block may be asked for. Where
    blocks may stay, the first ones do, which nothing could hide, as far as there is room for the blocks of
    two stages beside them all the time. Takes time in proportion to the blocks.
    """
    own = [0] * (len(free_bytes) + 1)
    for block in blocks:
        own[block.stage] += word_up(block.size_bytes)
    beside = [free - own[stage] - own[stage + 1] for stage, free in enumerate(free_bytes)]
    room = max(0, min(beside, default=0)) if resident else 0
    staying = 0
    stays: list[bool] = []
    for block in blocks:
        size = word_up(block.size_bytes)
        stays.append(staying + size <= room)
        staying += size * stays[-1]
    used = [staying] * len(free_bytes)
    chosen: list[Residency] = []
    earliest = 0
    for block, stay in zip(blocks, stays, strict=True):
        if stay:
            chosen.append(Residency(block, True, 0))
            continue
        size = word_up(block.size_bytes)
        fetch_stage = block.stage
        # Those of earlier stages have their room: going back stage by stage can only run out of it.
        while fetch_stage > max(earliest, block.stage - stages_ahead):
            if used[fetch_stage - 1] + size > free_bytes[fetch_stage - 1]:
                break
            fetch_stage -= 1
        for stage in range(fetch_stage, block.stage + 1):
            used[stage] += size
        chosen.append(Residency(block, False, fetch_stage))
        earliest = fetch_stage
    return tuple(chosen)
