"""Placement: no overlap, proved peaks, the same answer each time, errors that name tensors."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmc.backend_gap9.plan.place import live_bytes, place
from tmc.backend_gap9.plan.plan import LiveRange, Placement
from tmc.ir.errors import PlanError

ROOM = 1 << 30
SPANS = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)
RANGES = st.lists(st.tuples(SPANS, st.integers(1, 500)), max_size=24).map(
    lambda found: [
        LiveRange(f"v{index}", size, first, last) for index, ((first, last), size) in enumerate(found)
    ]
)


def assert_sound(ranges: list[LiveRange], placement: Placement, alignment: int) -> None:
    """Check a placement from nothing but the ranges."""
    placed = list(zip(ranges, placement.offsets_bytes, strict=True))
    for (a, at_a), (b, at_b) in combinations(placed, 2):
        alive_together = a.first <= b.last and b.first <= a.last
        assert not alive_together or at_a + a.size_bytes <= at_b or at_b + b.size_bytes <= at_a, (a, b)
    assert all(offset % alignment == 0 and offset >= 0 for offset in placement.offsets_bytes)
    end = max((offset + each.size_bytes for each, offset in placed), default=0)
    assert end <= placement.peak_bytes < end + alignment
    steps = range(max((each.last for each in ranges), default=0) + 1)
    live = max(sum(each.size_bytes for each in ranges if each.first <= step <= each.last) for step in steps)
    assert live <= placement.bound_bytes + alignment * len(ranges)
    assert placement.bound_bytes <= placement.peak_bytes


@settings(max_examples=60, deadline=None)
@given(RANGES, st.sampled_from([4, 16]))
def test_random_ranges_never_overlap(ranges: list[LiveRange], alignment: int) -> None:
    placement = place(ranges, ROOM, alignment)
    assert_sound(ranges, placement, alignment)
    assert place(ranges, ROOM, alignment) == placement


def test_nothing_takes_nothing() -> None:
    assert place((), 0) == Placement((), 0, 0)


def test_successive_values_share_their_bytes() -> None:
    ranges = [LiveRange("a", 100, 0, 1), LiveRange("b", 60, 1, 2), LiveRange("c", 100, 2, 3)]
    placement = place(ranges, 160)
    assert (placement.peak_bytes, placement.bound_bytes) == (160, 160)
    assert_sound(ranges, placement, 4)


def test_what_lives_throughout_lies_at_the_bottom() -> None:
    ranges = [LiveRange("a", 10, 0, 1), LiveRange("whole", 6, 0, 2), LiveRange("b", 10, 2, 2)]
    assert place(ranges, 100).offsets_bytes == (8, 0, 8)


# Sizes, first and last steps of ranges of which at most 4 words live at once, and which need 5.
FRAGMENTED = [(1, 2, 3), (2, 6, 6), (2, 0, 1), (2, 4, 6), (2, 0, 2), (1, 2, 4), (1, 3, 5)]


def words(found: list[tuple[int, int, int]]) -> list[LiveRange]:
    """Return live ranges of whole words."""
    return [LiveRange(f"v{n}", 4 * size, first, last) for n, (size, first, last) in enumerate(found)]


def test_a_peak_above_the_live_bytes_is_proved() -> None:
    ranges = words(FRAGMENTED)
    placement = place(ranges, ROOM)
    assert max(live_bytes(ranges).values()) == 16
    assert placement.peak_bytes == placement.bound_bytes == 4 * least_peak(FRAGMENTED) == 20


def least_peak(found: list[tuple[int, int, int]]) -> int:
    """Return the least peak by trying every placement, lowest peaks first."""

    def fits(peak: int, placed: list[tuple[int, int, int, int]], rest: list[tuple[int, int, int]]) -> bool:
        if not rest:
            return True
        size, first, last = rest[0]
        return any(
            all(
                at + size <= offset or offset + other <= at or last < begin or end < first
                for other, begin, end, offset in placed
            )
            and fits(peak, [*placed, (size, first, last, at)], rest[1:])
            for at in range(peak - size + 1)
        )

    peak = max(size for size, _, _ in found)
    while not fits(peak, [], sorted(found, reverse=True)):
        peak += 1
    return peak


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=7).map(
        lambda found: [(size, first, first + length) for size, first, length in found]
    )
)
def test_small_peaks_are_the_least(found: list[tuple[int, int, int]]) -> None:
    placement = place(words(found), ROOM)
    assert placement.peak_bytes == placement.bound_bytes == 4 * least_peak(found)


def test_live_bytes_counts_aligned_sizes() -> None:
    assert live_bytes([LiveRange("a", 5, 0, 1), LiveRange("b", 4, 1, 2)]) == {0: 8, 1: 12, 2: 4}


def test_too_much_alive_is_an_error_that_names_it() -> None:
    ranges = [LiveRange("early", 400, 0, 0), LiveRange("x", 300, 1, 2), LiveRange("y", 200, 2, 2)]
    with pytest.raises(PlanError) as caught:
        place(ranges, 499, steps=("/a", "/b", "/c"))
    message = str(caught.value)
    assert message == "/c: found 500 bytes live at once, allowed 499 bytes; live here: %x 300, %y 200"
    assert caught.value.notes


def test_fragmentation_beyond_the_budget_is_an_error() -> None:
    with pytest.raises(
        PlanError, match="found no placement below 20 bytes, at most 16 live at once, allowed 16"
    ):
        place(words(FRAGMENTED), 16)
