"""A plan without a solver: given tile sizes, buffers one behind the other, every second block resident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.plan.l1_buffers import (
    L1Needs,
    attention_buffers,
    column_buffers,
    move_buffers,
    row_buffers,
    row_inputs,
    stored_in_place,
)
from tmc.backend_gap9.plan.plan import (
    AttentionTiling,
    ColumnTiling,
    LiveRange,
    MoveTiling,
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
from tmc.backend_gap9.stages.move_shape import move_shape
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.backend_gap9.target.targets import target_named
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
    staged = stage_graph(graph, target_named("gap9"))
    residency = []
    for block in staged.blocks:
        resident = len(residency) % 2 == 0
        residency.append(Residency(block, resident, block.stage if resident else max(0, block.stage - 1)))
    stored = dict.fromkeys(name for stage in staged.stages for name in stage.stored)
    values = [name for name in stored if name not in staged.external]
    last = len(staged.stages) - 1
    l2, l2_bytes = placed(
        "l2",
        [
            *((name, staged.layouts[name].size_bytes) for name in values),
            *((entry.block.name, entry.block.size_bytes) for entry in residency),
        ],
    )
    l3, l3_bytes = placed("l3", [(entry.block.name, entry.block.size_bytes) for entry in residency])
    plans = tuple(stage_plan(staged, stage, tiles) for stage in staged.stages)
    plan = Plan(
        staged=staged,
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
    return Planned(graph, plan, build_program(plan), staged.contents)


def stage_plan(staged: Staged, stage: GraphStage, tiles: Tiles) -> StagePlan:
    """Return the plan of one stage."""
    form = {"rows": rows, "attention": attention, "columns": columns, "moves": moves}[stage.form]
    tiling, needs = form(staged, stage, tiles)
    l1, end = placed("l1", [(each.name, each.size_bytes) for each in needs])
    return StagePlan(tiling, l1, end, StageCycles(1, 1, 0, 0, 1))


def attention(staged: Staged, stage: GraphStage, tiles: Tiles) -> tuple[Tiling, L1Needs]:
    """Return the tiles of an attention stage and their buffers."""
    q, k = (staged.graph.types[name].shape for name in stage.op.inputs[:2])
    tiling = AttentionTiling(min(tiles.queries, q[1]), min(tiles.keys, k[1]), min(tiles.values, q[2]))
    return tiling, attention_buffers(staged, stage, tiling)


def rows(staged: Staged, stage: GraphStage, tiles: Tiles) -> tuple[Tiling, L1Needs]:
    """Return the tiles of a row stage and their buffers."""
    types = staged.graph.types
    rotated = {op.inputs[0]: types[op.output].shape[2] for op in stage.ops if op.kind is OpKind.QROPE}
    channels = []
    for op in stage.ops:
        if op.kind is OpKind.QLINEAR:
            total = types[op.inputs[1]].shape[0]
            one_head = rotated.get(op.output, total // getattr(op.attrs, "heads", 1))
            channels.append((op.output, one_head if one_head < total else min(tiles.channels, total)))
    doubled = stored_in_place(staged, stage)
    buffers = tuple((name, 2 if name in doubled else tiles.buffers) for name in row_inputs(staged, stage))
    tiling = RowTiling(min(tiles.rows, stage.rows), tuple(channels), buffers)
    return tiling, row_buffers(staged, stage, tiling)


def columns(staged: Staged, stage: GraphStage, tiles: Tiles) -> tuple[Tiling, L1Needs]:
    """Return the tiles of a column stage and their buffers."""
    cuts = column_shape(staged.graph, stage.op).tile_columns()
    tiling = ColumnTiling(max([each for each in cuts if each <= tiles.channels], default=cuts[0]))
    return tiling, column_buffers(staged, stage, tiling)


def moves(staged: Staged, stage: GraphStage, tiles: Tiles) -> tuple[Tiling, L1Needs]:
    """Return the tiles of a stage that moves rows and their buffers."""
    shape = move_shape(staged, stage)
    cuts = shape.tile_columns()
    columns = max([each for each in cuts if each <= tiles.channels], default=cuts[0])
    tiling = MoveTiling(min(tiles.rows, max(run.rows for run in shape.runs)), columns)
    return tiling, move_buffers(staged, stage, tiling)
