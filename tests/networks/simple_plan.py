"""A plan without a solver: given tile sizes, buffers one behind the other, every second block resident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.l1_buffers import buffers_of_stage, row_inputs, stored_in_place
from tmc.backend_gap9.plan.plan import (
    AttentionTiling,
    ColumnTiling,
    LiveRange,
    Plan,
    Residency,
    RowTiling,
    StageCycles,
    StagePlan,
    Tiling,
)
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.program.program import Program
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.column_shape import column_shape
from tmc.backend_gap9.stages.layout import l2_layouts, row_storage
from tmc.backend_gap9.stages.pack import PackedStage, pack_stage
from tmc.backend_gap9.stages.stages import AnyStage, AttentionStage, RowStage, build_stages, view_roots
from tmc.ir.graph import Graph, OpKind


@dataclass(frozen=True, slots=True)
class Tiles:
    """Row stages: rows, channels of a linear, input buffers. Attention: query rows, keys, value channels."""

    rows: int
    channels: int
    buffers: int
    queries: int
    keys: int
    values: int


@dataclass(frozen=True, slots=True)
class Planned:
    """Everything that the checkers take."""

    graph: Graph
    plan: Plan
    program: Program
    contents: Mapping[str, bytes]


def placed(memory: str, sizes: list[tuple[str, int]]) -> tuple[tuple[Buffer, ...], int]:
    """Return buffers one behind the other, and their end."""
    buffers: list[Buffer] = []
    end = 0
    for name, size_bytes in sizes:
        buffers.append(Buffer(name, memory, end, size_bytes))  # type: ignore[arg-type]
        end = word_up(end + size_bytes)
    return tuple(buffers), end


def simple_plan(graph: Graph, tiles: Tiles) -> Planned:
    """Return a plan and its program."""
    stages = build_stages(graph)
    layouts = l2_layouts(graph)
    packed = tuple(pack_stage(graph, stage) for stage in stages)
    residency = []
    for stage, pack in zip(stages, packed, strict=True):
        for block in pack.blocks:
            resident = len(residency) % 2 == 0
            residency.append(
                Residency(block, resident, stage.number if resident else max(0, stage.number - 1))
            )
    roots = view_roots(graph)
    outside = {roots[name] for name in (*graph.inputs, *graph.outputs)}
    values = dict.fromkeys(
        roots[name] for stage in stages for name in stored(stage) if roots[name] not in outside
    )
    last = len(stages) - 1
    l2, l2_bytes = placed(
        "l2",
        [
            *((name, layouts[name].size_bytes) for name in values),
            *((entry.block.name, entry.block.size_bytes) for entry in residency),
        ],
    )
    l3, l3_bytes = placed("l3", [(entry.block.name, entry.block.size_bytes) for entry in residency])
    plans = tuple(stage_plan(graph, stage, pack, tiles) for stage, pack in zip(stages, packed, strict=True))
    plan = Plan(
        stages=plans,
        l2=l2,
        l3=l3,
        l2_ranges=tuple(LiveRange(buffer.name, buffer.size_bytes, 0, last) for buffer in l2),
        residency=tuple(residency),
        l1_peak_bytes=max(each.l1_peak_bytes for each in plans),
        l2_peak_bytes=l2_bytes,
        l2_bound_bytes=l2_bytes,
        l3_bytes=l3_bytes,
        exposed_fetch_cycles=0,
    )
    contents = {name: data for pack in packed for name, data in pack.contents.items()}
    return Planned(graph, plan, build_program(graph, plan, packed), contents)


def stored(stage: AnyStage) -> tuple[str, ...]:
    """Return the values that a stage leaves in L2."""
    return stage.stored if isinstance(stage, RowStage) else (stage.op.output,)


def stage_plan(graph: Graph, stage: AnyStage, packed: PackedStage, tiles: Tiles) -> StagePlan:
    """Return the plan of one stage."""
    storage = row_storage(graph, stage) if isinstance(stage, RowStage) else None
    tiling: Tiling
    if isinstance(stage, AttentionStage):
        q, k, _, _ = stage.op.inputs
        _, rows, width = graph.types[q].shape
        tiling = AttentionTiling(
            min(tiles.queries, rows), min(tiles.keys, graph.types[k].shape[1]), min(tiles.values, width)
        )
    elif isinstance(stage, RowStage):
        linears = [op for op in stage.ops if op.kind is OpKind.QLINEAR]
        rotated = {op.inputs[0] for op in stage.ops if op.kind is OpKind.QROPE}
        channels = []
        for op in linears:
            total = graph.types[op.inputs[1]].shape[0]
            one_head = total // getattr(op.attrs, "heads", 1)
            if op.output in rotated:
                one_head = next(
                    graph.types[each.output].shape[2] for each in stage.ops if each.inputs[0] == op.output
                )
            channels.append((op.output, one_head if one_head < total else min(tiles.channels, total)))
        assert storage is not None
        doubled = stored_in_place(graph, stage, storage)
        buffers = tuple((name, 2 if name in doubled else tiles.buffers) for name in row_inputs(graph, stage))
        tiling = RowTiling(min(tiles.rows, stage.rows), tuple(channels), buffers)
    else:
        cuts = column_shape(graph, stage.op).tile_columns()
        tiling = ColumnTiling(max([each for each in cuts if each <= tiles.channels], default=cuts[0]))
    sizes = buffers_of_stage(graph, stage, l2_layouts(graph), storage, packed, tiling)
    l1, end = placed("l1", list(sizes))
    return StagePlan(tiling, l1, end, StageCycles(1, 1, 0, 1))
