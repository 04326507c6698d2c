"""Place live ranges in one memory: CP-SAT on rectangles of time and address, with a proved lower bound.

What lives from the first step to the last lies at the bottom; that never costs anything, because such a
rectangle can always trade places with what is below it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ortools.sat.python import cp_model

from tmc.backend_gap9.plan.plan import LiveRange, Placement
from tmc.ir.errors import PlanError

# The time to place some 100 ranges is heavy-tailed: a search is over at once or never ends. So several short
# ones, each from its own seed, come before the long one that lowers the peak. Deterministic time is the same
# on every machine, other than seconds.
SEEDS = range(16)
SHORT_TIME, LONG_TIME = 0.03, 0.5


def place(
    ranges: Sequence[LiveRange], budget_bytes: int, alignment_bytes: int = 4, steps: Sequence[str] = ()
) -> Placement:
    """Return offsets of least peak; ranges that live in a common step never share a byte.

    `steps` are the names of the steps, for errors.
    Raises: PlanError naming the step and what lives in it, if more than budget_bytes live at once, or if no
    placement within the budget was found.
    """
    sizes = [_aligned(each.size_bytes, alignment_bytes) for each in ranges]
    live = live_bytes(ranges, alignment_bytes)
    bound = max(live.values(), default=0)
    if bound > budget_bytes:
        step = next(step for step, size in live.items() if size == bound)
        raise misfit(ranges, step, steps, f"found {bound} bytes live at once", budget_bytes)
    first, last = min(live, default=0), max(live, default=0)
    offsets, ground = [0] * len(ranges), 0
    moving = []
    for index, each in enumerate(ranges):
        if each.first == first and each.last == last:
            offsets[index], ground = ground, ground + sizes[index]
        else:
            moving.append(index)
    if moving:
        scaled = [sizes[index] // alignment_bytes for index in moving]
        above = (bound - ground) // alignment_bytes
        spans = [(ranges[index].first, ranges[index].last) for index in moving]
        room = (budget_bytes - ground) // alignment_bytes
        placed, proved = _place_moving(spans, scaled, above, room)
        for index, offset in zip(moving, placed, strict=True):
            offsets[index] = ground + offset * alignment_bytes
        bound = ground + proved * alignment_bytes
    peak = max((offset + size for offset, size in zip(offsets, sizes, strict=True)), default=0)
    if peak > budget_bytes:
        step = next(step for step, size in live.items() if size == max(live.values()))
        what = f"found no placement below {peak} bytes, at most {max(live.values())} live at once"
        raise misfit(ranges, step, steps, what, budget_bytes)
    return Placement(tuple(offsets), peak, bound)


def live_bytes(ranges: Sequence[LiveRange], alignment_bytes: int = 4) -> dict[int, int]:
    """Return the bytes that live in every step, in the order of steps."""
    live: dict[int, int] = {}
    for each in ranges:
        for step in range(each.first, each.last + 1):
            live[step] = live.get(step, 0) + _aligned(each.size_bytes, alignment_bytes)
    return dict(sorted(live.items()))


def _aligned(size_bytes: int, alignment_bytes: int) -> int:
    return -(-size_bytes // alignment_bytes) * alignment_bytes


def _place_moving(
    spans: Sequence[tuple[int, int]], sizes: Sequence[int], bound: int, budget: int
) -> tuple[Sequence[int], int]:
    """Return offsets and a proved lower bound of their peak, all in units of the alignment.

    The solver is quick where it has nothing to improve: it is asked first for the peak that would be a proof
    by itself, then for one within the budget, and only then for the least one.
    """
    best: Sequence[int] = _greedy(spans, sizes)
    if _peak(best, sizes) == bound:
        return best, bound
    for peak in dict.fromkeys((bound, min(budget, _peak(best, sizes) - 1))):
        placed, bound = _search(spans, sizes, bound, peak)
        if placed is not None:
            best = placed
            break
    if bound < _peak(best, sizes) <= budget:
        placed, bound = _solve(spans, sizes, bound, _peak(best, sizes), best, 1)
        best = placed or best
    return best, bound


def _search(
    spans: Sequence[tuple[int, int]], sizes: Sequence[int], bound: int, limit: int
) -> tuple[Sequence[int] | None, int]:
    """Return offsets with a peak up to the limit, if a short search finds some, and a proved bound."""
    if limit < bound:
        return None, bound
    for seed in SEEDS:
        placed, proved = _solve(spans, sizes, bound, limit, None, seed)
        if placed is not None or proved > limit:
            return placed, proved
    return None, bound


def _peak(offsets: Sequence[int], sizes: Sequence[int]) -> int:
    return max(offset + size for offset, size in zip(offsets, sizes, strict=True))


def _solve(
    spans: Sequence[tuple[int, int]],
    sizes: Sequence[int],
    bound: int,
    limit: int,
    hint: Sequence[int] | None,
    seed: int,
) -> tuple[Sequence[int] | None, int]:
    """Return offsets with a peak from bound to limit (the least one if there is a hint) and a bound."""
    model = cp_model.CpModel()
    peak = model.new_int_var(bound, limit, "")
    offsets = [model.new_int_var(0, limit - size, "") for size in sizes]
    times = [model.new_fixed_size_interval_var(first, last + 1 - first, "") for first, last in spans]
    places = [
        model.new_fixed_size_interval_var(offset, size, "")
        for offset, size in zip(offsets, sizes, strict=True)
    ]
    model.add_no_overlap_2d(times, places)
    for offset, size in zip(offsets, sizes, strict=True):
        model.add(peak >= offset + size)
    if hint is not None:
        model.minimize(peak)
        for offset, start in zip(offsets, hint, strict=True):
            model.add_hint(offset, start)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    # Rectangles have no useful linear relaxation: without one the search is faster by orders of magnitude.
    solver.parameters.linearization_level = 0
    solver.parameters.max_deterministic_time = SHORT_TIME if hint is None else LONG_TIME
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return None, limit + 1
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None, bound
    proved = bound if hint is None else max(bound, round(solver.best_objective_bound))
    return [solver.value(offset) for offset in offsets], proved


def _greedy(spans: Sequence[tuple[int, int]], sizes: Sequence[int]) -> list[int]:
    """Return the best of several greedy placements: each range in turn at the lowest place that is free."""
    everything = range(len(spans))
    orders = (
        sorted(everything, key=lambda i: (-sizes[i], spans[i], i)),
        sorted(everything, key=lambda i: (spans[i][0] - spans[i][1], -sizes[i], i)),
        sorted(everything, key=lambda i: (-sizes[i] * (spans[i][1] + 1 - spans[i][0]), i)),
        sorted(everything, key=lambda i: (spans[i], -sizes[i], i)),
    )
    return min((_lowest_free(spans, sizes, order) for order in orders), key=lambda each: _peak(each, sizes))


def _lowest_free(spans: Sequence[tuple[int, int]], sizes: Sequence[int], order: Sequence[int]) -> list[int]:
    offsets = [0] * len(spans)
    done: list[int] = []
    for index in order:
        first, last = spans[index]
        others = sorted(
            (offsets[other], sizes[other])
            for other in done
            if spans[other][0] <= last and first <= spans[other][1]
        )
        place = 0
        for offset, size in others:
            if place + sizes[index] <= offset:
                break
            place = max(place, offset + size)
        offsets[index] = place
        done.append(index)
    return offsets


def misfit(
    ranges: Sequence[LiveRange], step: int, steps: Sequence[str], what: str, budget_bytes: int
) -> PlanError:
    """Return the error that names what lives in a step and how many bytes are allowed."""
    alive = [each for each in ranges if each.first <= step <= each.last]
    listed = ", ".join(
        f"%{each.name} {each.size_bytes}" for each in sorted(alive, key=lambda r: -r.size_bytes)
    )
    return PlanError(
        steps[step] if steps else f"stage {step}",
        f"{what}, allowed {budget_bytes} bytes; live here: {listed}",
        "use fewer tokens or channels, or a target with more memory",
    )
