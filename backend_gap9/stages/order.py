"""Order steps so that as few bytes as possible live at once: exact where the graph is small enough to try.

A step that every other step comes before or behind stands where it stands in all orders, and cuts the graph:
what lies between two such steps is a region, ordered on its own. A chain has no region to order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import networkx

from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.stages.region import Region, RegionValue
from tmc.backend_gap9.stages.region_order import order_region

# Sets of done steps that may be looked at in all regions; then the best order so far stands.
MAX_SETS = 200_000


@dataclass(frozen=True, slots=True)
class LiveValue:
    """A value in memory from the step that makes it to the last one that reads it, both included."""

    name: str
    size_bytes: int
    maker: int
    readers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Steps in the order in which to run them.

    peak_bytes: what lives at once at most. bound_bytes: no order of these steps has a peak lower than this;
    the order is proved to be the best one where both are equal.
    """

    steps: tuple[int, ...]
    peak_bytes: int
    bound_bytes: int


def lowest_peak_order(steps: networkx.DiGraph[int], values: Sequence[LiveValue]) -> Order:
    """Return an order of the steps with the lowest peak found, and what is proved about it.

    steps: nodes 0 to n - 1 as they stand now, each edge from a step to a later one that has to wait for it; a
    step waits for the makers of all values that it reads. Sizes of values count up to whole words. Regions
    keep their order as given unless that lowers the peak of all. No clock is read: the answer is the same on
    every machine.
    """
    assert all(before < step for before, step in steps.edges), "steps out of order"
    for value in values:
        for step in value.readers:
            waits = steps.has_edge(value.maker, step)
            assert waits, f"step {step} reads %{value.name} and does not wait for step {value.maker}"
    spans = single_entry_regions(steps)
    regions = _regions(steps, values, spans)
    given = [region.peak_bytes(range(len(span))) for region, span in zip(regions, spans, strict=True)]
    peak = bound = max((region.least_bytes() for region in regions), default=0)
    # From the worst region on: what one needs, the others need not go below.
    worst = sorted((index for index, bytes_ in enumerate(given) if bytes_ > bound), key=lambda at: -given[at])
    found: dict[int, tuple[int, ...]] = {}
    for index in worst:
        if given[index] > peak:
            found[index], reached, proved = order_region(regions[index], peak, MAX_SETS // len(worst))
            # Not below what was aimed at says nothing.
            bound = proved if proved > peak else bound
            peak = reached
    ordered: list[int] = []
    for index, span in enumerate(spans):
        keeps = given[index] <= peak
        ordered += span if keeps else (span[step] for step in found[index])
    return Order(tuple(ordered), peak, bound)


def single_entry_regions(steps: networkx.DiGraph[int]) -> tuple[range, ...]:
    """Cut steps 0 to n - 1 where a step has all others before or behind it; such a step is a region of one.

    A step has all earlier ones before it if each of them is read by another no later than it, so that a way
    leads on and can only end there; and all later ones behind it likewise. Takes linear time.
    """
    count = steps.number_of_nodes()
    first_reader = [min(steps.successors(step), default=count) for step in range(count)]
    last_operand = [max(steps.predecessors(step), default=-1) for step in range(count)]
    # Over the steps before each one, and over those behind it.
    latest = list(accumulate(first_reader, max, initial=0))
    earliest = list(accumulate(reversed(last_operand), min, initial=count))[::-1]
    cuts = [step for step in range(count) if latest[step] <= step <= earliest[step + 1]]
    spans: list[range] = []
    for cut in (*cuts, count):
        start = spans[-1].stop if spans else 0
        spans += [span for span in (range(start, cut), range(cut, min(cut + 1, count))) if span]
    return tuple(spans)


def _regions(
    steps: networkx.DiGraph[int], values: Sequence[LiveValue], spans: Sequence[range]
) -> list[Region]:
    """Return the regions with the values that live in each, in numbers of their own from 0."""
    home = {step: index for index, span in enumerate(spans) for step in span}
    inside: list[list[RegionValue]] = [[] for _ in spans]
    # What lives through all of a region, as the changes from region to region.
    through = [0] * (len(spans) + 1)
    for value in values:
        size = word_up(value.size_bytes)
        first = home[value.maker]
        last = max((home[step] for step in value.readers), default=first)
        readers = {first: 0, last: 0}
        for step in value.readers:
            index = home[step]
            readers[index] = readers.get(index, 0) | 1 << (step - spans[index].start)
        maker = value.maker - spans[first].start
        inside[first].append(RegionValue(size, maker, readers[first], stays=last > first))
        if last > first:
            through[first + 1] += size
            through[last] -= size
            inside[last].append(RegionValue(size, None, readers[last], stays=False))
    return [
        Region(
            tuple(
                sum(1 << (before - span.start) for before in steps.predecessors(step) if before in span)
                for step in span
            ),
            tuple(inside[index]),
            level,
        )
        for index, (span, level) in enumerate(zip(spans, accumulate(through), strict=False))
    ]
