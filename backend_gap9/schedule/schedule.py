"""From a plan to a program: every stage scheduled, every buffer listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tmc.backend_gap9.kernels.attention import attention_on_ne16
from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.buffers import Buffer, ValueShape, value_shape
from tmc.backend_gap9.program.program import (
    Binary,
    Const,
    Dma,
    Expr,
    Fetch,
    If,
    Job,
    JobEnd,
    Loop,
    Program,
    Stage,
    Stmt,
    Wait,
)
from tmc.backend_gap9.schedule.attention import schedule_attention
from tmc.backend_gap9.schedule.attention_jobs import schedule_attention_jobs
from tmc.backend_gap9.schedule.columns import schedule_columns
from tmc.backend_gap9.schedule.context import Context, fetch, fetch_slot
from tmc.backend_gap9.schedule.form import StageSchedule
from tmc.backend_gap9.schedule.moves import schedule_moves
from tmc.backend_gap9.schedule.rows import schedule_rows
from tmc.backend_gap9.stages.staged import GraphStage, StageForm
from tmc.ir.graph import Graph


def _schedule_attention(context: Context, stage: GraphStage) -> StageSchedule:
    jobs = attention_on_ne16(context.graph, stage.op)
    return (schedule_attention_jobs if jobs else schedule_attention)(context, stage)


FORMS: Mapping[StageForm, Callable[[Context, GraphStage], StageSchedule]] = {
    "rows": schedule_rows,
    "attention": _schedule_attention,
    "columns": schedule_columns,
    "moves": schedule_moves,
}


def build_program(plan: Plan) -> Program:
    """Return the program of a plan."""
    staged, graph = plan.staged, plan.staged.graph
    inputs = {name: f"input {name}" for name in graph.inputs}
    outputs = {name: f"output {name}" for name in graph.outputs}
    external = inputs | {staged.roots[name]: buffer for name, buffer in outputs.items()}
    context = Context(plan, external)
    schedules = [FORMS[stage.form](context, stage) for stage in staged.stages]
    values = {
        name: value_shape(tensor) for name, tensor in graph.types.items() if name not in graph.constants
    }
    for pack, schedule in zip(staged.packed, schedules, strict=True):
        values |= {block.name: ValueShape(block.rows, block.row_bytes) for block in pack.blocks}
        values |= schedule.scratch
    init = Stage("init", ("weights that stay in L2",), (), {}, _init(plan))
    stages = tuple(
        Stage(f"stage_{stage.number}", _title(graph, stage), planned.l1, schedule.tables, schedule.body)
        for stage, planned, schedule in zip(staged.stages, plan.stages, schedules, strict=True)
    )
    externals = tuple(
        Buffer(buffer, "l2", 0, staged.layouts[root].size_bytes, external=True)
        for root, buffer in external.items()
    )
    return Program(
        name=graph.name,
        init=init,
        stages=stages,
        buffers=(*plan.l2, *plan.l3, *externals),
        slots=_slots((init, *stages)),
        values=values,
        views={name: root for name, root in staged.roots.items() if name != root},
        inputs=inputs,
        outputs=outputs,
        l1_bytes=plan.l1_peak_bytes,
        l2_bytes=plan.l2_peak_bytes,
        l3_bytes=plan.l3_bytes,
    )


def _init(plan: Plan) -> tuple[Stmt, ...]:
    resident = [residency.block for residency in plan.residency if residency.resident]
    return (
        *(fetch(block.name, block.size_bytes) for block in resident),
        *(Wait(fetch_slot(block.name), "l3") for block in resident),
    )


def _title(graph: Graph, stage: GraphStage) -> tuple[str, ...]:
    """Return one line per op: result, shape, kind and the ONNX node it came from."""
    lines = []
    for op in stage.ops:
        tensor = graph.types[op.output]
        shape = "x".join(str(size) for size in tensor.shape)
        lines.append(f"{op.output}: {tensor.dtype.value} {shape} = {op.kind.value}, from {op.loc}")
    return tuple(lines)


def _instances(index: Expr) -> int:
    match index:
        case Const(value):
            return value + 1
        case Binary("%", _, Const(count)):
            return count
        case _:
            return 2


def _slots(stages: tuple[Stage, ...]) -> dict[str, int]:
    """Return the slots that the stages use, with as many instances as their indices tell apart."""
    slots: dict[str, int] = {}

    def visit(body: tuple[Stmt, ...]) -> None:
        for statement in body:
            if isinstance(statement, Loop | If):
                visit(statement.body)
            elif isinstance(statement, Dma | Fetch | Job | JobEnd | Wait):
                instances = _instances(statement.slot.index)
                slots[statement.slot.name] = max(instances, slots.get(statement.slot.name, 1))

    for stage in stages:
        visit(stage.body)
    return slots
