"""Orders of lowest peak: against all orders of small graphs, and what larger ones have to keep."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import accumulate

import networkx
import pytest

from tmc.backend_gap9.stages import order, region, region_order
from tmc.backend_gap9.stages.order import LiveValue, Order, lowest_peak_order, single_entry_regions
from tmc.backend_gap9.stages.region import Region, RegionValue


def step_graph(
    count: int, values: Sequence[LiveValue], edges: Sequence[tuple[int, int]] = ()
) -> networkx.DiGraph[int]:
    """Return the steps with an edge from the maker of each value to its readers, and others."""
    steps: networkx.DiGraph[int] = networkx.DiGraph()
    steps.add_nodes_from(range(count))
    steps.add_edges_from(edges)
    steps.add_edges_from((value.maker, reader) for value in values for reader in value.readers)
    return steps


def peak_of(order: Sequence[int], values: Sequence[LiveValue]) -> int:
    """Return the peak of an order from nothing but the lives of the values."""
    at = {step: place for place, step in enumerate(order)}
    change = [0] * (len(at) + 1)
    for value in values:
        size = -value.size_bytes // 4 * -4
        change[at[value.maker]] += size
        change[max(at[step] for step in (value.maker, *value.readers)) + 1] -= size
    return max(accumulate(change))


def lowest_peak(steps: networkx.DiGraph[int], values: Sequence[LiveValue]) -> int:
    """Try all orders."""
    return min(peak_of(order, values) for order in networkx.all_topological_sorts(steps))


def assert_sound(steps: networkx.DiGraph[int], values: Sequence[LiveValue], found: Order) -> None:
    """Check what holds for every answer."""
    assert sorted(found.steps) == list(steps)
    at = {step: place for place, step in enumerate(found.steps)}
    assert all(at[before] < at[step] for before, step in steps.edges)
    assert found.bound_bytes <= found.peak_bytes == peak_of(found.steps, values)
    given = peak_of(range(len(at)), values)
    assert found.peak_bytes < given or (found.peak_bytes == given and found.steps == tuple(range(len(at))))


def in_a_row(
    first: tuple[networkx.DiGraph[int], list[LiveValue]],
    second: tuple[networkx.DiGraph[int], list[LiveValue]],
) -> tuple[networkx.DiGraph[int], list[LiveValue]]:
    """Return the steps of both, with a step in between that makes nothing."""
    (a, a_values), (b, b_values) = first, second
    between = len(a)
    moved = [
        LiveValue(
            f"second.{value.name}",
            value.size_bytes,
            value.maker + between + 1,
            tuple(step + between + 1 for step in value.readers),
        )
        for value in b_values
    ]
    steps: networkx.DiGraph[int] = networkx.DiGraph()
    steps.add_nodes_from(range(between + 1 + len(b)))
    steps.add_edges_from(a.edges)
    steps.add_edges_from((step, between) for step in a)
    steps.add_edges_from((between, step + between + 1) for step in b)
    steps.add_edges_from((x + between + 1, y + between + 1) for x, y in b.edges)
    return steps, a_values + moved


def whole_region(steps: networkx.DiGraph[int], values: Sequence[LiveValue]) -> Region:
    """Return all steps as one region that nothing enters or leaves."""
    return Region(
        tuple(sum(1 << before for before in steps.predecessors(step)) for step in steps),
        tuple(
            RegionValue(
                -value.size_bytes // 4 * -4, value.maker, sum(1 << step for step in value.readers), False
            )
            for value in values
        ),
        0,
    )


def small_graph(seed: int) -> tuple[networkx.DiGraph[int], list[LiveValue]]:
    """Return at most eight steps; some make two values or none, some values are never read."""
    rng = random.Random(seed)
    count, density = rng.choice((1, 3, 5, 6, 7, 8, 8)), rng.uniform(0.2, 0.9)
    values = []
    for maker in range(count):
        for number in range(rng.choice((0, 1, 1, 1, 2))):
            readers = [
                step for step in range(maker + 1, count) if rng.random() < density / (step - maker) ** 0.5
            ]
            values.append(LiveValue(f"{maker}.{number}", rng.randint(1, 40), maker, tuple(readers)))
    edges = [(a, b) for b in range(count) for a in range(b) if rng.random() < density / 3]
    return step_graph(count, values, edges), values


def parallel_chains(
    chains: int, length: int, seed: int, shared_bytes: int, *, in_turns: bool = False
) -> tuple[networkx.DiGraph[int], list[LiveValue]]:
    """Return one step, chains of unequal sizes that all read its value, and a step that joins them.

    The steps given are chain after chain, or the first steps of all chains, then the second ones.
    """
    rng = random.Random(seed)
    count = chains * length + 2

    def number(chain: int, place: int) -> int:
        if place == length:
            return count - 1
        return 1 + (place * chains + chain if in_turns else chain * length + place)

    values = [LiveValue("shared", shared_bytes, 0, tuple(number(chain, 0) for chain in range(chains)))]
    for chain in range(chains):
        for place in range(length):
            size = rng.randint(1, 250) * 4
            maker, reader = number(chain, place), number(chain, place + 1)
            values.append(LiveValue(f"{chain}.{place}", size, maker, (reader,)))
    return step_graph(count, values), values


def windowed_graph(count: int, width: int, seed: int) -> tuple[networkx.DiGraph[int], list[LiveValue]]:
    """Return steps that read one or two values of the `width` steps before them."""
    rng = random.Random(seed)
    readers: list[set[int]] = [set() for _ in range(count)]
    for step in range(1, count):
        for _ in range(rng.choice((1, 1, 2))):
            readers[rng.randint(max(0, step - width), step - 1)].add(step)
    values = [
        LiveValue(str(step), rng.randint(1, 999), step, tuple(sorted(readers[step]))) for step in range(count)
    ]
    return step_graph(count, values), values


@pytest.mark.parametrize("first_seed", range(0, 300, 50))
def test_small_graphs_have_the_lowest_peak_of_all_orders(first_seed: int) -> None:
    better = 0
    for seed in range(first_seed, first_seed + 50):
        steps, values = small_graph(seed)
        found = lowest_peak_order(steps, values)
        assert_sound(steps, values, found)
        assert found.peak_bytes == found.bound_bytes == lowest_peak(steps, values), seed
        better += found.steps != tuple(steps)
    assert better > 0


@pytest.mark.parametrize("first_seed", range(3000, 3200, 50))
def test_the_search_alone_is_exact(first_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "MAX_CUT_STEPS", 0)
    monkeypatch.setattr(region_order, "_by_rule", lambda *_: None)
    for seed in range(first_seed, first_seed + 50):
        steps, values = small_graph(seed)
        found = lowest_peak_order(steps, values)
        assert_sound(steps, values, found)
        assert found.peak_bytes == found.bound_bytes == lowest_peak(steps, values), seed


def test_what_is_not_tried_out_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "MAX_SETS", 16)
    monkeypatch.setattr(region, "MAX_CUT_STEPS", 0)
    unproved = better = 0
    for seed in range(1000, 1150, 2):
        halves = [small_graph(seed), small_graph(seed + 1)]
        steps, values = in_a_row(*halves)
        found = lowest_peak_order(steps, values)
        assert_sound(steps, values, found)
        assert found.bound_bytes <= max(lowest_peak(*half) for half in halves)
        unproved += found.bound_bytes < found.peak_bytes
        better += found.steps != tuple(steps)
    assert unproved > 0
    assert better > 0


@pytest.mark.parametrize("seed", [1, 4, 5])
def test_what_was_found_for_one_region_is_no_bound_of_another(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, values = windowed_graph(40, 10, seed)
    best = lowest_peak_order(steps, values)
    assert best.peak_bytes == best.bound_bytes
    monkeypatch.setattr(order, "MAX_SETS", 3000)
    monkeypatch.setattr(region, "MAX_CUT_STEPS", 0)
    twice, twice_values = in_a_row((steps, values), (steps, values))
    found = lowest_peak_order(twice, twice_values)
    assert_sound(twice, twice_values, found)
    assert found.bound_bytes <= best.peak_bytes < found.peak_bytes < peak_of(range(81), twice_values)


@pytest.mark.parametrize("shared_bytes", [20, 1000])
@pytest.mark.parametrize("in_turns", [False, True])
def test_a_ladder_of_forty_branches_is_proved(shared_bytes: int, in_turns: bool) -> None:
    steps, values = parallel_chains(40, 2, 3, shared_bytes, in_turns=in_turns)
    found = lowest_peak_order(steps, values)
    assert_sound(steps, values, found)
    assert found.peak_bytes == found.bound_bytes < peak_of(range(82), values)


@pytest.mark.parametrize("seed", range(2))
def test_a_large_value_that_all_branches_read_is_bounded_closely(seed: int) -> None:
    steps, values = parallel_chains(40, 2, seed, 20_000)
    found = lowest_peak_order(steps, values)
    assert_sound(steps, values, found)
    # One branch is the last to start. The others are behind their first or their second step.
    sizes = [(values[at].size_bytes, values[at + 1].size_bytes) for at in range(1, 81, 2)]
    others = sum(map(min, sizes))
    assert found.bound_bytes >= 20_000 + min(others - min(last) + last[0] for last in sizes)
    assert found.peak_bytes < 1.01 * found.bound_bytes


def test_bounds_of_regions_hold() -> None:
    raised = 0
    for seed in range(2000, 2150):
        steps, values = small_graph(seed)
        whole = whole_region(steps, values)
        by_cuts = whole.least_bytes_of_cuts()
        assert max(by_cuts, whole.least_bytes()) <= lowest_peak(steps, values), seed
        raised += by_cuts > whole.least_bytes()
    assert raised > 0


def test_a_chain_keeps_its_order() -> None:
    values = [LiveValue(str(step), 4 + step * 37 % 101, step, (step + 1,)) for step in range(999)]
    found = lowest_peak_order(step_graph(1000, values), values)
    assert found.steps == tuple(range(1000))
    assert found.peak_bytes == found.bound_bytes == peak_of(found.steps, values)


def test_ties_keep_the_order_given() -> None:
    steps, values = parallel_chains(6, 1, 0, 8)
    equal = [LiveValue(value.name, 8, value.maker, value.readers) for value in values]
    assert lowest_peak_order(steps, equal).steps == tuple(range(8))


def test_only_what_lowers_the_peak_is_moved() -> None:
    # Twice the same: b and its large value wait for c's small one. The second one is smaller by half.
    def half(first: int, factor: int) -> list[LiveValue]:
        return [
            LiveValue("x", 8 * factor, first, (first + 1, first + 2)),
            LiveValue("b", 100 * factor, first + 1, (first + 3,)),
            LiveValue("c", 80 * factor, first + 2, (first + 4,)),
            LiveValue("d", 4 * factor, first + 3, (first + 4,)),
            LiveValue("e", 4 * factor, first + 4, (first + 5,) if first == 0 else ()),
        ]

    values = [*half(0, 2), *half(5, 1)]
    found = lowest_peak_order(step_graph(10, values), values)
    assert found.steps == (0, 1, 3, 2, 4, 5, 6, 7, 8, 9)


def test_a_region_keeps_its_order_where_another_one_needs_as_much() -> None:
    # b before c takes 188 bytes, and b and d before c take 112; but f, g and h take 188 in any order.
    values = [
        LiveValue("x", 8, 0, (1, 2)),
        LiveValue("b", 100, 1, (3,)),
        LiveValue("c", 80, 2, (4,)),
        LiveValue("d", 4, 3, (4,)),
        LiveValue("e", 4, 4, (5,)),
        LiveValue("f", 88, 5, (6, 7)),
        LiveValue("g", 52, 6, (8,)),
        LiveValue("h", 48, 7, (8,)),
    ]
    assert lowest_peak_order(step_graph(9, values), values) == Order(tuple(range(9)), 188, 188)
    alone = lowest_peak_order(step_graph(6, values[:5]), values[:5])
    assert alone == Order((0, 1, 3, 2, 4, 5), 112, 112)


def test_sizes_count_up_to_words_and_nothing_takes_nothing() -> None:
    values = [LiveValue("a", 1, 0, (1,)), LiveValue("b", 5, 1, ())]
    assert lowest_peak_order(step_graph(2, values), values) == Order((0, 1), 12, 12)
    assert lowest_peak_order(step_graph(0, []), []) == Order((), 0, 0)


@pytest.mark.parametrize(
    ("steps", "values", "above_bound"),
    [
        (*parallel_chains(40, 25, 1, 100, in_turns=True), 1.0),
        (*windowed_graph(1000, 4, 0), 1.05),
        (*windowed_graph(1000, 30, 1), 4.0),
    ],
    ids=["chains", "narrow", "wide"],
)
def test_a_thousand_steps_take_seconds(
    steps: networkx.DiGraph[int], values: list[LiveValue], above_bound: float
) -> None:
    start = time.process_time()
    found = lowest_peak_order(steps, values)
    assert time.process_time() - start < 8
    assert_sound(steps, values, found)
    assert found.peak_bytes <= above_bound * found.bound_bytes
    assert found.peak_bytes < peak_of(range(len(steps)), values)


def test_regions_start_and_end_at_steps_comparable_with_all() -> None:
    for seed in range(200):
        steps, _ = small_graph(seed)
        spans = single_entry_regions(steps)
        assert [step for span in spans for step in span] == list(steps)
        cuts = {
            step
            for step in steps
            if len(networkx.ancestors(steps, step)) + len(networkx.descendants(steps, step)) == len(steps) - 1
        }
        assert {step for span in spans for step in span if cuts.isdisjoint(span)} == set(steps) - cuts
        assert all(len(span) == 1 for span in spans if not cuts.isdisjoint(span))


def test_orders_are_told_from_what_is_no_order() -> None:
    with pytest.raises(AssertionError, match="steps out of order"):
        lowest_peak_order(networkx.DiGraph([(0, 2), (2, 1)]), ())
    with pytest.raises(AssertionError, match="step 1 reads %a and does not wait for step 0"):
        lowest_peak_order(step_graph(2, []), [LiveValue("a", 4, 0, (1,))])
