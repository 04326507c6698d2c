"""What the channel tiles of a linear cost in one turn, on the accelerator by the order of its jobs.

The queue of the accelerator holds the job of a tile and that of the next one. In the turn of a tile core 0

    waits for the weights of the next tile and starts its job       start_cycles
    waits for the job of this tile, starts the next transfer        idle
    and the cores finish the results of this tile                   finish; idle is more where no call does

so that a turn takes the longest of: that; the transfers and the start that needs them; the job. A job takes
what it would alone, and a share of the cycles of calls and of transfers beside it, which take banks of
L1 from it (`JobCosts`). That calls take longer beside a job, up to a twentieth, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tmc.backend_gap9.kernels.ne16 import JobCosts


@dataclass(frozen=True, slots=True)
class JobTile:
    """Cycles of a channel tile on the accelerator: its job alone, transfers, the calls that finish it.

    idle: of core 0 behind the job, besides those calls.
    """

    cycles: int
    dma: int
    finish: int
    idle: int = 0


@dataclass(frozen=True, slots=True)
class TurnCost:
    """Cycles of a turn: compute of cores, transfers, jobs.

    exposed: what compute does not hide of transfers and jobs. slack: time in which nothing is transferred.
    """

    compute: int
    dma: int
    exposed: int
    slack: int
    jobs: int = 0

    def figures(self) -> tuple[int, int, int, int, int]:
        """Return all figures."""
        return self.compute, self.dma, self.exposed, self.slack, self.jobs


def beside(each: Sequence[JobTile], cycles: Sequence[int]) -> tuple[JobTile, ...]:
    """Return tiles beside whose jobs the cores compute something else, too: so many cycles behind each."""
    more = (*cycles, *[0] * (len(each) - len(cycles)))
    return tuple(replace(tile, finish=tile.finish + extra) for tile, extra in zip(each, more, strict=True))


def total(costs: Sequence[TurnCost]) -> TurnCost:
    """Return the sum of costs."""
    return TurnCost(*(sum(figures) for figures in zip(*(cost.figures() for cost in costs), strict=True)))


def job_turn_cost(
    each: Sequence[JobTile], costs: JobCosts, start_cycles: int, *, follows: bool, leads: bool
) -> TurnCost:
    """Return the cost of channel tiles on the accelerator, each of whose jobs takes cores start_cycles.

    While the job of a tile runs, the weights of the next one and the results of the last one travel, and the
    cores start the job of the next tile and finish the results of the last one. follows, leads: jobs of
    another linear come before the first one or behind the last one without a gap; they stand here as the
    last and the first of these.
    """
    exposed = slack = 0
    for number, tile in enumerate(each):
        before = each[number - 1] if number or follows else JobTile(0, 0, 0)
        start = start_cycles if number + 1 < len(each) or leads else 0
        cores = before.finish + before.idle + start
        job = tile.cycles + int(costs.delay_cycles(before.finish, tile.dma))
        exposed += max(0, max(job, tile.dma + start) - cores)
        slack += max(0, max(job, cores) - tile.dma)
    return TurnCost(
        compute=sum(start_cycles + tile.finish + tile.idle for tile in each),
        dma=sum(tile.dma for tile in each),
        exposed=exposed,
        slack=slack,
        jobs=sum(tile.cycles for tile in each),
    )
