"""Order one region: by a rule that serves most networks, then best-first over sets of done steps.

What lives behind a set of done steps is submodular, so a run of steps behind which no more lives than before
it, and whose own peak is no higher than what every order has, may always go first: in any order that has it
later it can be moved to the front at no cost. The same holds from the end backwards. The search tries all
other sets from both ends, those of the lowest peak first: the peak of the set whose turn it is bounds every
order.

The rule keeps a peak and runs first what frees most of its own peak, as the best order of parallel chains
does. The lowest peak that it can keep is found by bisection.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from tmc.backend_gap9.stages.region import Region, members


class _Last(NamedTuple):
    """The step by which a set was reached, and that of the set before it."""

    step: int
    earlier: _Last | None


class _State(NamedTuple):
    """A set of steps reached from one end. The first one is that of the lowest peak, then of most steps."""

    peak_bytes: int
    to_do: int
    level_bytes: int
    done: int
    ready: int
    last: _Last | None


class _Front:
    """Sets of done steps that grow from the start, or from the end backwards. `sets` counts them."""

    def __init__(self, region: Region, forward: bool) -> None:
        self.region = region
        self.forward = forward
        ways = (region.before, region.after)
        self.needs, self.opens = ways if forward else ways[::-1]
        self.sets = 0

    def first(self, peak_bytes: int) -> _State:
        """Return the empty set."""
        region, count = self.region, len(self.region.before)
        level = region.start_bytes
        if not self.forward:
            level += sum(region.change_bytes((1 << step) - 1, step) for step in range(count))
        ready = sum(1 << step for step in range(count) if not self.needs[step])
        return _State(peak_bytes, count, level, 0, ready, None)

    def behind(self, state: _State, step: int) -> _State:
        """Return the set with one more step."""
        region, bit = self.region, 1 << step
        self.sets += 1
        done = state.done | bit
        if self.forward:
            before = state.level_bytes
            level = before + region.change_bytes(state.done, step)
        else:
            level = before = state.level_bytes - region.change_bytes(region.all_steps ^ done, step)
        ready = state.ready ^ bit
        for opened in members(self.opens[step]):
            if not self.needs[opened] & ~done:
                ready |= 1 << opened
        peak = max(state.peak_bytes, before + region.made_bytes[step])
        return _State(peak, state.to_do - 1, level, done, ready, _Last(step, state.last))

    def run(self, step: int, state: _State, limit_bytes: int) -> Iterator[_State]:
        """Yield the set behind a step, then those along a chain of steps that open each other.

        Ends in front of the first one with a higher peak than the limit.
        """
        while state.peak_bytes <= limit_bytes:
            yield state
            opened = self.opens[step] & state.ready
            if not opened:
                return
            step = (opened & -opened).bit_length() - 1
            state = self.behind(state, step)

    def order(self, state: _State) -> tuple[int, ...]:
        """Return the steps by which a set was reached, in the order in which they run."""
        steps: list[int] = []
        last = state.last
        while last is not None:
            steps.append(last.step)
            last = last.earlier
        return tuple(reversed(steps) if self.forward else steps)


class _Search:
    """The sets of one front that wait for their turn."""

    def __init__(self, front: _Front, bound: int) -> None:
        self.front = front
        self.waiting = [front.first(bound)]
        self.peaks: dict[int, int] = {}

    def next_state(self) -> _State:
        """Take the best set that waits."""
        return heappop(self.waiting)

    def push_behind(self, state: _State, limit_bytes: int) -> None:
        """Have the sets behind one wait: only one if a run may go first, else all with a peak below a limit.

        A run ends where no more lives than before it; behind its shorter parts more lives, so that none of
        them could go first instead.
        """
        behind = [(step, self.front.behind(state, step)) for step in members(state.ready)]
        for step, first in behind:
            for reached in self.front.run(step, first, state.peak_bytes):
                if reached.level_bytes <= state.level_bytes:
                    self._push(reached)
                    return
        for _, reached in behind:
            if reached.peak_bytes < limit_bytes:
                self._push(reached)

    def _push(self, state: _State) -> None:
        known = self.peaks.get(state.done)
        if known is None or state.peak_bytes < known:
            self.peaks[state.done] = state.peak_bytes
            heappush(self.waiting, state)


def order_region(region: Region, aim_bytes: int, max_sets: int) -> tuple[tuple[int, ...], int, int]:
    """Return an order of a region, its peak, and what no order goes below; the order given if none is better.

    aim_bytes: what is not worth going below; peak and bound count as this at least. max_sets: how many sets
    of done steps the rule and the search may look at.
    """
    order = tuple(range(len(region.before)))
    peak = region.peak_bytes(order)
    bound = min(max(aim_bytes, region.least_bytes_of_cuts()), peak)
    for forward in (True, False):
        front = _Front(region, forward)
        found = _by_rule(front, bound, peak, max_sets // 4)
        if found is not None:
            order, peak = front.order(found), max(bound, found.peak_bytes)
    searches = [_Search(_Front(region, forward), bound) for forward in (True, False)]
    while bound < peak and sum(search.front.sets for search in searches) < max_sets:
        for search in searches:
            if not search.waiting:
                return order, peak, peak
            state = search.next_state()
            bound = max(bound, state.peak_bytes)
            if not state.to_do:
                return search.front.order(state), state.peak_bytes, bound
            search.push_behind(state._replace(peak_bytes=bound), peak)
    return order, peak, bound


def _by_rule(front: _Front, low: int, high: int, max_sets: int) -> _State | None:
    """Return all steps reached with the lowest peak found that the rule keeps, None if none is below `high`.

    low: the peak to try first. After max_sets the search for a lower one ends.
    """
    best, limit = None, low
    while low < high:
        found = _keeping(front, limit)
        if found is None:
            low = limit + 1
        else:
            best, high = found, found.peak_bytes
        if front.sets >= max_sets:
            break
        limit = (low + high) // 2
    return best


def _keeping(front: _Front, limit_bytes: int) -> _State | None:
    """Return all steps reached within a peak, if the rule leads there.

    The run that goes next is the first one that ends with no more bytes than before, else that whose end is
    lowest below its own peak.
    """
    state = front.first(0)
    while state.to_do:
        best: _State | None = None
        start = state._replace(peak_bytes=0)
        for step in members(state.ready):
            end: _State | None = None
            for reached in front.run(step, front.behind(start, step), limit_bytes):
                if end is None or reached.level_bytes < end.level_bytes:
                    end = reached
                if end.level_bytes <= state.level_bytes:
                    break
            if end is None:
                continue
            if end.level_bytes <= state.level_bytes:
                best = end
                break
            if best is None or _fall_bytes(end) > _fall_bytes(best):
                best = end
        if best is None:
            return None
        state = best._replace(peak_bytes=max(state.peak_bytes, best.peak_bytes))
    return state


def _fall_bytes(end: _State) -> int:
    return end.peak_bytes - end.level_bytes
