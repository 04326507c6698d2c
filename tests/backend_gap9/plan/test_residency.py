"""Residency of weights: as good as trying every choice, inside the budget, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmc.backend_gap9.plan import residency
from tmc.backend_gap9.plan.l3_timeline import waits_for_l3
from tmc.backend_gap9.plan.plan import LiveRange, Residency
from tmc.backend_gap9.plan.residency import choose_residency
from tmc.backend_gap9.stages.pack import ConstantBlock
from tmc.backend_gap9.target.target import L3Channel
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import PlanError

# One byte takes one cycle, and a fetch starts at once.
TARGET = replace(target_named("gap9"), l3_channel=L3Channel(1.0, 0, alignment_bytes=4))


def blocks_of(found: Sequence[tuple[int, int]]) -> tuple[ConstantBlock, ...]:
    """Return blocks from (stage, words), in order of stages."""
    return tuple(
        ConstantBlock(f"w{number}", stage, 1, 4 * words)
        for number, (stage, words) in enumerate(sorted(found))
    )


def live(residencies: Sequence[Residency], activations: Sequence[LiveRange], stage: int) -> int:
    """Return the bytes that live in a stage."""
    blocks = sum(
        each.block.size_bytes
        for each in residencies
        if each.resident or each.fetch_stage <= stage <= each.block.stage
    )
    return blocks + sum(each.size_bytes for each in activations if each.first <= stage <= each.last)


def exposed(residencies: Sequence[Residency], stage_cycles: Sequence[int]) -> int:
    """Return the waited cycles, byte by byte: each cycle moves one byte of the head of the queue."""
    queue: list[list[int]] = []  # [stage that needs it, bytes left]
    waited = 0
    for stage, cycles in enumerate(stage_cycles):
        queue += [
            [each.block.stage, each.block.size_bytes]
            for each in residencies
            if not each.resident and each.fetch_stage == stage
        ]
        while any(needed <= stage for needed, _ in queue):
            waited += 1
            queue[0][1] -= 1
            queue = [each for each in queue if each[1] > 0]
        for _ in range(cycles):
            if queue:
                queue[0][1] -= 1
                queue = [each for each in queue if each[1] > 0]
    return waited


def everything(
    blocks: Sequence[ConstantBlock], activations: Sequence[LiveRange], stages: int, budget: int
) -> list[tuple[Residency, ...]]:
    """Return every choice that keeps the budget and fetches in the order of the blocks."""
    options = [
        [Residency(block, True, 0), *(Residency(block, False, at) for at in range(block.stage + 1))]
        for block in blocks
    ]
    found = []
    for choice in product(*options):
        order = [each.fetch_stage for each in choice if not each.resident]
        if all(a <= b for a, b in pairwise(order)) and all(
            live(choice, activations, stage) <= budget for stage in range(stages)
        ):
            found.append(choice)
    return found


def moved(residencies: Sequence[Residency]) -> int:
    """Return the bytes that travel from L3 in one inference."""
    return sum(each.block.size_bytes for each in residencies if not each.resident)


CASES = st.tuples(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=5).map(blocks_of),
    st.lists(st.integers(1, 40), min_size=4, max_size=4),
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 3)), max_size=3).map(
        lambda found: [
            LiveRange(f"v{number}", 4 * words, min(a, b), max(a, b))
            for number, (words, a, b) in enumerate(found)
        ]
    ),
    st.integers(5, 30).map(lambda words: 4 * words),
)


@settings(max_examples=80, deadline=None)
@given(CASES)
def test_choice_equals_trying_everything(
    case: tuple[tuple[ConstantBlock, ...], list[int], list[LiveRange], int],
) -> None:
    blocks, cycles, activations, budget = case
    choices = everything(blocks, activations, len(cycles), budget)
    if not choices:
        with pytest.raises(PlanError, match="live at once"):
            choose_residency(blocks, cycles, activations, TARGET, budget)
        return
    found, waited = choose_residency(blocks, cycles, activations, TARGET, budget)
    assert found in choices
    least = min(exposed(choice, cycles) for choice in choices)
    assert waited == exposed(found, cycles) == sum(waits_for_l3(found, cycles, TARGET)) == least
    fewest = min(moved(choice) for choice in choices if exposed(choice, cycles) == least)
    assert fewest <= moved(found) <= fewest * 1.02
    assert choose_residency(blocks, cycles, activations, TARGET, budget) == (found, waited)


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_nothing_stays_where_nothing_may(
    case: tuple[tuple[ConstantBlock, ...], list[int], list[LiveRange], int],
) -> None:
    blocks, cycles, activations, budget = case
    travelling = [
        choice
        for choice in everything(blocks, activations, len(cycles), budget)
        if not any(each.resident for each in choice)
    ]
    if not travelling:
        with pytest.raises(PlanError, match="live at once"):
            choose_residency(blocks, cycles, activations, TARGET, budget, resident=False)
        return
    found, waited = choose_residency(blocks, cycles, activations, TARGET, budget, resident=False)
    assert found in travelling
    assert waited == exposed(found, cycles) == min(exposed(choice, cycles) for choice in travelling)


def test_what_fits_stays() -> None:
    blocks = blocks_of([(0, 3), (1, 5)])
    found, waited = choose_residency(blocks, [10, 10], (), TARGET, 32)
    assert [each.resident for each in found] == [True, True]
    assert waited == 0


def test_a_fetch_starts_as_late_as_it_stays_hidden() -> None:
    # The second block does not fit beside stage 0; 100 bytes hide behind stages 1 to 3, not behind 2 and 3.
    blocks = blocks_of([(0, 20), (4, 25)])
    activations = [LiveRange("rest", 60, 0, 0)]
    found, waited = choose_residency(blocks, [40] * 5, activations, TARGET, 200)
    assert waited == 0
    assert [(each.resident, each.fetch_stage) for each in found] == [(True, 0), (False, 1)]


def test_what_cannot_be_hidden_is_counted() -> None:
    # Both blocks at once do not fit, so the second one is fetched when the first one is dead.
    blocks = blocks_of([(0, 20), (1, 20)])
    found, waited = choose_residency(blocks, [50, 50], (), TARGET, 156)
    assert waited == 160
    assert [(each.resident, each.fetch_stage) for each in found] == [(False, 0), (False, 1)]


def test_a_solver_out_of_time_still_gives_a_sound_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residency, "MAX_DETERMINISTIC_TIME", 0.0)
    blocks = blocks_of([(stage, 20) for stage in range(8)])
    found, waited = choose_residency(blocks, [50] * 8, (), TARGET, 156)
    assert all(live(found, (), stage) <= 156 for stage in range(8))
    assert waited == exposed(found, [50] * 8) > 0


def test_a_stage_that_does_not_fit_names_what_lives() -> None:
    with pytest.raises(PlanError) as caught:
        choose_residency(
            blocks_of([(1, 20)]), [1, 1], [LiveRange("x", 40, 0, 1)], TARGET, 100, ("/first", "/second")
        )
    assert str(caught.value) == (
        "/second: found 120 bytes live at once, allowed 100 bytes; live here: %w0 80, %x 40"
    )
