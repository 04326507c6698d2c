"""A part of a graph of steps: what lives when some of them are done, and what no order of them goes below.

What lives between two steps depends only on which steps are done, not on their order. As a number of bytes
for each set of done steps it is submodular: where more is done, a step adds no more. So a minimum cut gives
the fewest bytes over all sets that contain some steps and lack others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import networkx

# Steps in all graphs that are cut for the bound of a region.
MAX_CUT_STEPS = 20_000


@dataclass(frozen=True, slots=True)
class RegionValue:
    """A value made in a region or before it (None), and read by some of its steps, or behind it (stays)."""

    size_bytes: int
    maker: int | None
    readers: int
    stays: bool


class Region:
    """Steps 0 to n - 1 in the order given, and the values that they make and read. Sets of steps are bits.

    before, after: for each step the steps that it waits for, and those that wait for it. throughout_bytes:
    what lives all the time. start_bytes: what lives before the first step. made_bytes: of each step.
    """

    def __init__(
        self, before: tuple[int, ...], values: tuple[RegionValue, ...], throughout_bytes: int
    ) -> None:
        count = len(before)
        after = [0] * count
        for step, steps in enumerate(before):
            for each in members(steps):
                after[each] |= 1 << step
        self.before, self.after = before, tuple(after)
        self.all_steps = (1 << count) - 1
        self.values = values
        self.throughout_bytes = throughout_bytes
        self.start_bytes = throughout_bytes + sum(each.size_bytes for each in values if each.maker is None)
        self.made_bytes = [0] * count
        self._kept_bytes = [0] * count
        self._last_reads: list[list[tuple[int, int]]] = [[] for _ in before]
        for value in values:
            if value.maker is not None:
                self.made_bytes[value.maker] += value.size_bytes
                if value.readers or value.stays:
                    self._kept_bytes[value.maker] += value.size_bytes
            if not value.stays:
                for step in members(value.readers):
                    self._last_reads[step].append((value.readers, value.size_bytes))

    def change_bytes(self, done: int, step: int) -> int:
        """Return by how much more lives behind a step than before it."""
        missing = ~(done | 1 << step)
        freed = sum(size for readers, size in self._last_reads[step] if not readers & missing)
        return self._kept_bytes[step] - freed

    def peak_bytes(self, order: Iterable[int]) -> int:
        """Return what lives at once at most in an order."""
        done, level, peak = 0, self.start_bytes, 0
        for step in order:
            peak = max(peak, level + self.made_bytes[step])
            level += self.change_bytes(done, step)
            done |= 1 << step
        return peak

    def least_bytes(self) -> int:
        """Return what no order goes below: at each step lives what comes from before it for behind it."""
        ancestors, descendants = self._ancestors(), self._descendants()
        needs = [self.throughout_bytes] * len(self.before)
        for value in self.values:
            at = self.all_steps if value.maker is None else descendants[value.maker]
            if not value.stays:
                until = 0 if value.maker is None else 1 << value.maker
                for step in members(value.readers):
                    until |= ancestors[step]
                at &= until
            for step in members(at):
                needs[step] += value.size_bytes
        return max(needs, default=0)

    def least_bytes_of_cuts(self) -> int:
        """Return what no order goes below: of the readers of a value, or the operands of a step, one is last.

        When it runs, all others are done and nothing behind it is. The largest such groups are looked at, up
        to a limit of work.
        """
        ancestors, descendants = self._ancestors(), self._descendants()
        groups = dict.fromkeys((*(each.readers for each in self.values if not each.stays), *self.before))
        least = cut_steps = 0
        for group in sorted(groups, key=lambda group: -group.bit_count()):
            # A step that another one of them waits for is not the last.
            last = [step for step in members(group) if descendants[step] & group == 1 << step]
            if len(last) < 2:
                continue
            done = 0
            for step in last:
                done |= ancestors[step]
            cases = [(step, done & ~(1 << step), descendants[step]) for step in last]
            cut_steps += sum((self.all_steps & ~(done | missing)).bit_count() for _, done, missing in cases)
            if cut_steps > MAX_CUT_STEPS:
                break
            needs = [self._least_cut(done, missing) + self.made_bytes[step] for step, done, missing in cases]
            least = max(least, min(needs))
        return least

    def _least_cut(self, done: int, missing: int) -> int:
        """Return the fewest bytes that live behind a set of steps which contains some and lacks others.

        done: with all that they wait for. missing: with all that wait for them.
        """
        start, end, count = -1, -2, len(self.before)
        free = self.all_steps & ~done & ~missing
        # Done is what lies on the side of the start. An edge without a capacity is never cut.
        graph: networkx.DiGraph[int] = networkx.DiGraph()
        graph.add_nodes_from((start, end))
        for step in members(free):
            graph.add_edges_from((step, each) for each in members(self.before[step] & free))
        level = self.throughout_bytes
        for number, value in enumerate(self.values, count):
            maker = start if value.maker is None or done >> value.maker & 1 else value.maker
            wanted = value.stays or value.readers & missing
            if maker == start and wanted:
                level += value.size_bytes
            elif maker == start or free >> maker & 1:
                graph.add_edge(maker, number, capacity=value.size_bytes)
                graph.add_edges_from((number, step) for step in members(value.readers & free))
                if wanted:
                    graph.add_edge(number, end)
        cut: int = networkx.minimum_cut_value(graph, start, end)
        return level + cut

    def _ancestors(self) -> list[int]:
        return _closed(self.before, range(len(self.before)))

    def _descendants(self) -> list[int]:
        return _closed(self.after, range(len(self.before))[::-1])


def members(steps: int) -> Iterator[int]:
    """Yield the steps of a set, the first one first."""
    while steps:
        lowest = steps & -steps
        yield lowest.bit_length() - 1
        steps ^= lowest


def _closed(neighbours: tuple[int, ...], order: Iterable[int]) -> list[int]:
    """Return for each step itself and all that its neighbours, earlier ones in the order, lead to."""
    reached = [0] * len(neighbours)
    for step in order:
        reached[step] = 1 << step
        for each in members(neighbours[step]):
            reached[step] |= reached[each]
    return reached
