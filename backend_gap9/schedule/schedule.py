"""From a plan to a program: every stage scheduled, every buffer listed."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.plan.plan import AttentionTiling, ColumnTiling, Plan, RowTiling
from tmc.backend_gap9.program.buffers import Buffer, ValueShape, value_shape
from tmc.backend_gap9.program.program import Const, Dma, Fetch, If, Loop, Program, Stage, Stmt, Wait
from tmc.backend_gap9.schedule.attention import attention_scratch, attention_tables, schedule_attention
from tmc.backend_gap9.schedule.columns import schedule_columns
from tmc.backend_gap9.schedule.context import Context, fetch, fetch_slot
from tmc.backend_gap9.schedule.rows import schedule_rows
from tmc.backend_gap9.stages.layout import l2_layouts, row_storage
from tmc.backend_gap9.stages.pack import PackedStage
from tmc.backend_gap9.stages.stages import (
    AnyStage,
    AttentionStage,
    RowStage,
    build_stages,
    stage_ops,
    view_roots,
)
from tmc.ir.graph import Graph


def build_program(graph: Graph, plan: Plan, packed: tuple[PackedStage, ...]) -> Program:
    """Return the program of a planned integer graph."""
    roots = view_roots(graph)
    inputs = {name: f"input {name}" for name in graph.inputs}
    outputs = {name: f"output {name}" for name in graph.outputs}
    external = inputs | {roots[name]: buffer for name, buffer in outputs.items()}
    context = Context(graph, plan, l2_layouts(graph), roots, external)
    stages = build_stages(graph)
    values = {
        name: value_shape(tensor) for name, tensor in graph.types.items() if name not in graph.constants
    }
    for stage, pack in zip(stages, packed, strict=True):
        values |= {block.name: ValueShape(block.rows, block.row_bytes) for block in pack.blocks}
        if isinstance(stage, AttentionStage):
            values |= attention_scratch(stage, context)
    scheduled = tuple(_stage(context, stage, pack) for stage, pack in zip(stages, packed, strict=True))
    init = Stage("init", ("weights that stay in L2",), (), {}, _init(plan))
    externals = tuple(
        Buffer(buffer, "l2", 0, context.layouts[root].size_bytes, external=True)
        for root, buffer in external.items()
    )
    return Program(
        graph.name,
        init,
        scheduled,
        (*plan.l2, *plan.l3, *externals),
        _slots((init, *scheduled)),
        values,
        {name: root for name, root in roots.items() if name != root},
        inputs,
        outputs,
        plan.l1_peak_bytes,
        plan.l2_peak_bytes,
        plan.l3_bytes,
    )


def _init(plan: Plan) -> tuple[Stmt, ...]:
    resident = [residency.block for residency in plan.residency if residency.resident]
    return (
        *(fetch(block.name, block.size_bytes) for block in resident),
        *(Wait(fetch_slot(block.name), "l3") for block in resident),
    )


def _stage(context: Context, stage: AnyStage, packed: PackedStage) -> Stage:
    planned = context.plan.stages[stage.number]
    tables: Mapping[str, tuple[int, ...]] = {}
    if isinstance(stage, RowStage):
        assert isinstance(planned.tiling, RowTiling)
        body = schedule_rows(context, stage, row_storage(context.graph, stage), packed, planned.tiling)
    elif isinstance(stage, AttentionStage):
        assert isinstance(planned.tiling, AttentionTiling)
        body = schedule_attention(context, stage, packed, planned.tiling)
        tables = attention_tables(stage)
    else:
        assert isinstance(planned.tiling, ColumnTiling)
        body = schedule_columns(context, stage, packed, planned.tiling)
    return Stage(f"stage_{stage.number}", _title(context, stage), planned.l1, tables, body)


def _title(context: Context, stage: AnyStage) -> tuple[str, ...]:
    """Return one line per op: result, shape, kind and the ONNX node it came from."""
    lines = []
    for op in stage_ops(stage):
        tensor = context.graph.types[op.output]
        shape = "x".join(str(size) for size in tensor.shape)
        lines.append(f"{op.output}: {tensor.dtype.value} {shape} = {op.kind.value}, from {op.loc}")
    return tuple(lines)


def _slots(stages: tuple[Stage, ...]) -> dict[str, int]:
    """Return the slots that the stages use, with 2 instances where an index can be 1."""
    slots: dict[str, int] = {}

    def visit(body: tuple[Stmt, ...]) -> None:
        for statement in body:
            if isinstance(statement, Loop | If):
                visit(statement.body)
            elif isinstance(statement, Dma | Fetch | Wait):
                instances = 1 if statement.slot.index == Const(0) else 2
                slots[statement.slot.name] = max(instances, slots.get(statement.slot.name, 1))

    for stage in stages:
        visit(stage.body)
    return slots
