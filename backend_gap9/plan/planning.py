"""Make the plan of a network: tiles, L1, live ranges, residency, L2, L3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.place import place
from tmc.backend_gap9.plan.plan import LiveRange, Placement, Plan, Residency, StagePlan
from tmc.backend_gap9.plan.residency import check_live, choose_residency
from tmc.backend_gap9.plan.tiling import tile_stage
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlanError

# Where L2 cannot be placed, the weights get so many 64ths of it less.
FRAGMENTATION = (0, 1, 2, 4, 8, 16)


def make_plan(staged: Staged, target: Target, *, resident_weights: bool = True) -> Plan:
    """Return the plan of a staged graph on a target.

    Without resident_weights all constants start every inference in L3.

    l2_peak_bytes and l2_bound_bytes are those of our own buffers: the caller's inputs and outputs come on
    top, and count against the budget.

    Raises: PlanError, naming ONNX nodes, tensors and bytes, for what does not fit L1, L2 or L3.
    """
    solver = TileSolver()
    planned = tuple(_plan_stage(staged, stage, target, solver) for stage in staged.stages)
    l3 = place_in_l3(staged, target)
    l2 = _plan_l2(staged, planned, target, resident_weights)
    return Plan(
        staged=staged,
        stages=planned,
        l2=tuple(
            Buffer(each.name, "l2", offset, each.size_bytes)
            for each, offset in zip(l2.ranges, l2.placement.offsets_bytes, strict=True)
        ),
        l3=l3,
        l2_ranges=l2.ranges,
        residency=l2.residency,
        l1_peak_bytes=max((stage.l1_peak_bytes for stage in planned), default=0),
        l2_peak_bytes=l2.placement.peak_bytes,
        l2_bound_bytes=l2.placement.bound_bytes,
        l3_bytes=_end(l3),
        exposed_fetch_cycles=l2.exposed_cycles,
    )


def place_in_l3(staged: Staged, target: Target) -> tuple[Buffer, ...]:
    """Return the places of all constants in L3, one after the other. Raises: PlanError if they do not fit."""
    sizes = [(block.name, block.size_bytes) for block in staged.blocks]
    l3 = _sequential(sizes, "l3", target.l3_channel.alignment_bytes)
    if _end(l3) > target.l3.usable_bytes:
        raise _too_large_for_l3(staged, _end(l3), target)
    return l3


def check_live_bytes(staged: Staged, target: Target) -> None:
    """Refuse a stage in which activations and its own constants, all that has to be in L2, exceed it.

    Raises: PlanError naming the stage and what lives in it.
    """
    budget = target.l2.usable_bytes - external_bytes(staged)
    try:
        steps = [stage.where for stage in staged.stages]
        check_live(staged.blocks, activation_ranges(staged), budget, steps)
    except PlanError as found:
        raise _with_callers(found, external_bytes(staged)) from found


def activation_ranges(staged: Staged) -> tuple[LiveRange, ...]:
    """Return the life of every value in L2, from the stage that stores it to the last that reads it.

    Graph inputs and outputs lie in buffers of the caller and are left out.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for stage in staged.stages:
        for name in stage.inputs:
            last[staged.roots[name]] = stage.number
        for name in stage.stored:
            first[name] = last[name] = stage.number
    return tuple(
        LiveRange(name, staged.layouts[name].size_bytes, start, last[name])
        for name, start in first.items()
        if name not in staged.external
    )


def external_bytes(staged: Staged) -> int:
    """Return the bytes of the caller's buffers in L2: every graph input and output."""
    return sum(word_up(staged.layouts[name].size_bytes) for name in staged.external)


@dataclass(frozen=True, slots=True)
class _L2:
    ranges: tuple[LiveRange, ...]
    placement: Placement
    residency: tuple[Residency, ...]
    exposed_cycles: int


def _plan_stage(staged: Staged, stage: GraphStage, target: Target, solver: TileSolver) -> StagePlan:
    tiled = tile_stage(staged, stage, target, solver)
    # All buffers of a stage live through all of it: one after the other is the best placement there is.
    l1 = _sequential([(need.name, need.size_bytes) for need in tiled.needs], "l1")
    return StagePlan(tiled.tiling, l1, _end(l1), tiled.cycles)


def _sequential(
    sizes: Sequence[tuple[str, int]], memory: Literal["l1", "l3"], alignment_bytes: int = 4
) -> tuple[Buffer, ...]:
    buffers, offset = [], 0
    for name, size in sizes:
        buffers.append(Buffer(name, memory, offset, size))
        offset += size + -size % alignment_bytes
    return tuple(buffers)


def _end(buffers: Sequence[Buffer]) -> int:
    return max((each.offset_bytes + word_up(each.size_bytes) for each in buffers), default=0)


def _plan_l2(staged: Staged, planned: Sequence[StagePlan], target: Target, resident_weights: bool) -> _L2:
    """Return residency and placement; where they do not fit together, the weights get less room."""
    steps = [stage.where for stage in staged.stages]
    activations = activation_ranges(staged)
    cycles = [stage.cycles.total for stage in planned]
    budget = target.l2.usable_bytes - external_bytes(staged)
    part = target.l2.usable_bytes // 64
    problem: PlanError | None = None
    for parts in FRAGMENTATION:
        try:
            residency, exposed = choose_residency(
                staged.blocks,
                cycles,
                activations,
                target,
                budget - parts * part,
                steps,
                resident=resident_weights,
            )
            ranges = (*activations, *(_block_range(each, len(planned)) for each in residency))
            return _L2(ranges, place(ranges, budget, steps=steps), residency, exposed)
        except PlanError as found:
            # With less room the first answer is the one that tells what really does not fit.
            problem = problem or found
    assert problem is not None
    raise _with_callers(problem, external_bytes(staged))


def _with_callers(problem: PlanError, callers_bytes: int) -> PlanError:
    callers = f"the caller's inputs and outputs take another {callers_bytes} bytes of L2"
    return PlanError(problem.where, problem.what, *problem.notes, callers)


def _block_range(residency: Residency, stages: int) -> LiveRange:
    block = residency.block
    if residency.resident:
        return LiveRange(block.name, block.size_bytes, 0, stages - 1)
    return LiveRange(block.name, block.size_bytes, residency.fetch_stage, block.stage)


def _too_large_for_l3(staged: Staged, found: int, target: Target) -> PlanError:
    largest = max(staged.blocks, key=lambda block: block.size_bytes)
    return PlanError(
        staged.stages[largest.stage].where,
        f"found {found} bytes of constants in @{staged.graph.name}, the largest here: %{largest.name} with "
        f"{largest.size_bytes}; allowed {target.l3.usable_bytes} bytes of L3",
        "use fewer layers or narrower ones, or a target with more L3",
    )
