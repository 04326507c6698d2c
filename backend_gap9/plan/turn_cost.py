"""What the channel tiles of a linear cost in one turn, on the accelerator by the order of its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class JobTile:
    """Cycles of a channel tile on the accelerator: its job, transfers, what the cores finish behind it."""

    cycles: int
    dma: int
    finish: int


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


def job_turn_cost(each: Sequence[JobTile], start_cycles: int, *, follows: bool, leads: bool) -> TurnCost:
    """Return the cost of channel tiles on the accelerator, each of whose jobs takes cores start_cycles.

    While the job of a tile runs, the weights of the next one and the results of the last one travel, and the
    cores start the job of the next tile and finish the results of the last one. follows, leads: jobs of
    another linear come before the first one or behind the last one without a gap; they stand here as the
    last and the first of these.
    """
    exposed = slack = 0
    for number, tile in enumerate(each):
        cores = start_cycles if number + 1 < len(each) or leads else 0
        cores += each[number - 1].finish if number or follows else 0
        exposed += max(0, max(tile.cycles, tile.dma) - cores)
        slack += max(0, max(tile.cycles, cores) - tile.dma)
    return TurnCost(
        compute=sum(start_cycles + tile.finish for tile in each),
        dma=sum(tile.dma for tile in each),
        exposed=exposed,
        slack=slack,
        jobs=sum(tile.cycles for tile in each),
    )
