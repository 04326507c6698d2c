"""Make the plan of a network: stages, tiles, L1, live ranges, residency, L2, L3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.l1_buffers import Sizes, buffers_of_stage
from tmc.backend_gap9.plan.place import place
from tmc.backend_gap9.plan.plan import LiveRange, Placement, Plan, Residency, StagePlan
from tmc.backend_gap9.plan.residency import choose_residency
from tmc.backend_gap9.plan.tiling import tile_stage
from tmc.backend_gap9.plan.tiling_solver import TileSolver
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.stages.kernel_limits import check_kernel_limits
from tmc.backend_gap9.stages.layout import Rows, l2_layouts, row_storage
from tmc.backend_gap9.stages.pack import ConstantBlock, PackedStage, pack_stage
from tmc.backend_gap9.stages.stages import (
    AnyStage,
    RowStage,
    build_stages,
    row_operands,
    stage_ops,
    view_roots,
)
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph

# Where L2 cannot be placed, the weights get so many 64ths of it less.
FRAGMENTATION = (0, 1, 2, 4, 8, 16)


def make_plan(
    graph: Graph, target: Target, *, resident_weights: bool = True
) -> tuple[Plan, tuple[PackedStage, ...]]:
    """Return the plan of an integer graph on a target, and the packed constants of every stage.

    Without resident_weights all constants start every inference in L3.

    l2_peak_bytes and l2_bound_bytes are those of our own buffers: the caller's inputs and outputs come on
    top, and count against the budget.

    Raises: PlanError, naming ONNX nodes, tensors and bytes, for what does not fit L1, L2 or L3.
    """
    stages, layouts = build_stages(graph), l2_layouts(graph)
    check_kernel_limits(graph, layouts)
    packed = tuple(pack_stage(graph, stage) for stage in stages)
    solver = TileSolver()
    planned = tuple(
        _plan_stage(graph, stage, layouts, pack, target, solver)
        for stage, pack in zip(stages, packed, strict=True)
    )
    blocks = tuple(block for pack in packed for block in pack.blocks)
    l3 = _sequential(
        [(block.name, block.size_bytes) for block in blocks], "l3", target.l3_channel.alignment_bytes
    )
    l3_bytes = _end(l3)
    if l3_bytes > target.l3.usable_bytes:
        raise _too_large_for_l3(graph, stages, blocks, l3_bytes, target)
    l2 = _plan_l2(graph, stages, layouts, planned, blocks, target, resident_weights)
    return (
        Plan(
            planned,
            tuple(
                Buffer(each.name, "l2", offset, each.size_bytes)
                for each, offset in zip(l2.ranges, l2.placement.offsets_bytes, strict=True)
            ),
            l3,
            l2.ranges,
            l2.residency,
            max((stage.l1_peak_bytes for stage in planned), default=0),
            l2.placement.peak_bytes,
            l2.placement.bound_bytes,
            l3_bytes,
            l2.exposed_cycles,
        ),
        packed,
    )


def activation_ranges(
    graph: Graph, stages: Sequence[AnyStage], layouts: Mapping[str, Rows]
) -> tuple[LiveRange, ...]:
    """Return the life of every value in L2, from the stage that stores it to the last that reads it.

    Graph inputs and outputs lie in buffers of the caller and are left out.
    """
    roots = view_roots(graph)
    external = {roots[name] for name in (*graph.inputs, *graph.outputs)}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for stage in stages:
        for op in stage_ops(stage):
            for name in row_operands(graph, op):
                last[roots[name]] = stage.number
        for name in stage.stored if isinstance(stage, RowStage) else (stage.op.output,):
            first[name] = last[name] = stage.number
    return tuple(
        LiveRange(name, layouts[name].size_bytes, start, last[name])
        for name, start in first.items()
        if name not in external
    )


def external_bytes(graph: Graph, layouts: Mapping[str, Rows]) -> int:
    """Return the bytes of the caller's buffers in L2: every graph input and output."""
    roots = view_roots(graph)
    values = dict.fromkeys(roots[name] for name in (*graph.inputs, *graph.outputs))
    return sum(word_up(layouts[name].size_bytes) for name in values)


@dataclass(frozen=True, slots=True)
class _L2:
    ranges: tuple[LiveRange, ...]
    placement: Placement
    residency: tuple[Residency, ...]
    exposed_cycles: int


def _plan_stage(
    graph: Graph,
    stage: AnyStage,
    layouts: dict[str, Rows],
    packed: PackedStage,
    target: Target,
    solver: TileSolver,
) -> StagePlan:
    storage = row_storage(graph, stage) if isinstance(stage, RowStage) else None
    tiled = tile_stage(graph, stage, layouts, storage, packed, target, solver)
    # All buffers of a stage live through all of it: one after the other is the best placement there is.
    l1 = _sequential(buffers_of_stage(graph, stage, layouts, storage, packed, tiled.tiling), "l1")
    return StagePlan(tiled.tiling, l1, _end(l1), tiled.cycles)


def _sequential(
    sizes: Sizes | Sequence[tuple[str, int]], memory: Literal["l1", "l3"], alignment_bytes: int = 4
) -> tuple[Buffer, ...]:
    buffers, offset = [], 0
    for name, size in sizes:
        buffers.append(Buffer(name, memory, offset, size))
        offset += size + -size % alignment_bytes
    return tuple(buffers)


def _end(buffers: Sequence[Buffer]) -> int:
    return max((each.offset_bytes + word_up(each.size_bytes) for each in buffers), default=0)


def _plan_l2(
    graph: Graph,
    stages: Sequence[AnyStage],
    layouts: dict[str, Rows],
    planned: Sequence[StagePlan],
    blocks: Sequence[ConstantBlock],
    target: Target,
    resident_weights: bool,
) -> _L2:
    """Return residency and placement; where they do not fit together, the weights get less room."""
    steps = [", ".join(op.loc for op in stage_ops(stage)) for stage in stages]
    activations = activation_ranges(graph, stages, layouts)
    cycles = [stage.cycles.total for stage in planned]
    budget = target.l2.usable_bytes - external_bytes(graph, layouts)
    part = target.l2.usable_bytes // 64
    problem: PlanError | None = None
    for parts in FRAGMENTATION:
        try:
            residency, exposed = choose_residency(
                blocks,
                cycles,
                activations,
                target,
                budget - parts * part,
                steps,
                resident=resident_weights,
            )
            ranges = (*activations, *(_block_range(each, len(stages)) for each in residency))
            return _L2(ranges, place(ranges, budget, steps=steps), residency, exposed)
        except PlanError as found:
            # With less room the first answer is the one that tells what really does not fit.
            problem = problem or found
    assert problem is not None
    callers = f"the caller's inputs and outputs take another {external_bytes(graph, layouts)} bytes of L2"
    raise PlanError(problem.where, problem.what, *problem.notes, callers)


def _block_range(residency: Residency, stages: int) -> LiveRange:
    block = residency.block
    if residency.resident:
        return LiveRange(block.name, block.size_bytes, 0, stages - 1)
    return LiveRange(block.name, block.size_bytes, residency.fetch_stage, block.stage)


def _too_large_for_l3(
    graph: Graph, stages: Sequence[AnyStage], blocks: Sequence[ConstantBlock], found: int, target: Target
) -> PlanError:
    largest = max(blocks, key=lambda block: block.size_bytes)
    return PlanError(
        ", ".join(op.loc for op in stage_ops(stages[largest.stage])),
        f"found {found} bytes of constants in @{graph.name}, the largest here: %{largest.name} with "
        f"{largest.size_bytes}; allowed {target.l3.usable_bytes} bytes of L3",
        "use fewer layers or narrower ones, or a target with more L3",
    )
