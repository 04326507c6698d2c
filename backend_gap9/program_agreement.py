"""What a program states, against the graph and the plan: shapes, views, buffers, peaks."""

from __future__ import annotations

from tmc.backend_gap9.plan import Plan
from tmc.backend_gap9.program import Buffer, Program
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph, OpKind


def check_values(program: Program, graph: Graph, plan: Plan) -> None:
    """Check shapes, views, inputs and outputs."""
    views = {op.output: op.inputs[0] for op in graph.ops if op.kind is OpKind.RESHAPE}
    for name in sorted({*views, *program.views}):
        allowed: list[str] = [views[name]] if name in views else []
        while allowed and allowed[-1] in views:
            allowed.append(views[allowed[-1]])
        if name not in program.views or program.views[name] not in allowed:
            raise CheckError(
                "program",
                f"found %{name} as a view of {program.views.get(name)}, "
                f"allowed {' or '.join(f'%{value}' for value in allowed) or 'none'}",
            )
    for name, tensor in graph.types.items():
        if name not in graph.constants:
            row_bytes = tensor.shape[-1] * tensor.dtype.size_bytes
            _expect_shape(program, name, tensor.size_bytes // row_bytes, row_bytes)
    for entry in plan.residency:
        _expect_shape(program, entry.block.name, entry.block.rows, entry.block.row_bytes)
    external = {buffer.name for buffer in program.buffers if buffer.external and buffer.memory == "l2"}
    for what, found, wanted in (
        ("inputs", program.inputs, graph.inputs),
        ("outputs", program.outputs, graph.outputs),
    ):
        if set(found) != set(wanted) or not set(found.values()) <= external:
            raise CheckError(
                "program", f"found {what} {dict(found)}, allowed external buffers in l2 for {wanted}"
            )
    ends = [*program.inputs.values(), *program.outputs.values()]
    if len(set(ends)) != len(ends):
        raise CheckError("program", f"found buffers {', '.join(ends)} of the caller, allowed each once")


def _expect_shape(program: Program, name: str, rows: int, row_bytes: int) -> None:
    shape = program.values.get(name)
    if shape is None or (shape.rows, shape.row_bytes) != (rows, row_bytes):
        raise CheckError("program", f"found %{name} as {shape}, allowed {rows} rows of {row_bytes} bytes")


def check_buffers(program: Program, plan: Plan) -> None:
    """Check that program and plan have the same buffers, below the peaks that the plan states."""
    if len(program.stages) != len(plan.stages):
        raise CheckError("program", f"found {len(program.stages)} stages, the plan has {len(plan.stages)}")
    for stage, planned in zip(program.stages, plan.stages, strict=True):
        where = f"stage {stage.name}"
        _same_buffers(where, stage.buffers, planned.l1)
        _below(where, stage.buffers, planned.l1_peak_bytes)
        _peak(where, "l1", planned.l1_peak_bytes, plan.l1_peak_bytes)
    for memory, buffers, peak_bytes, size_bytes in (
        ("l1", (), plan.l1_peak_bytes, program.l1_bytes),
        ("l2", plan.l2, plan.l2_peak_bytes, program.l2_bytes),
        ("l3", plan.l3, plan.l3_bytes, program.l3_bytes),
    ):
        own = tuple(each for each in program.buffers if each.memory == memory and not each.external)
        _same_buffers("program", own, buffers)
        _below("program", own, peak_bytes)
        _peak("program", memory, peak_bytes, size_bytes)


def _same_buffers(where: str, found: tuple[Buffer, ...], allowed: tuple[Buffer, ...]) -> None:
    planned = {buffer.name: buffer for buffer in allowed}
    for buffer in found:
        if planned.get(buffer.name) != buffer:
            raise CheckError(where, f"found {buffer}, the plan has {planned.get(buffer.name)}")
    if len(found) != len(allowed):
        raise CheckError(where, f"found {len(found)} buffers, the plan has {len(allowed)}")


def _below(where: str, buffers: tuple[Buffer, ...], peak_bytes: int) -> None:
    for buffer in buffers:
        end = buffer.offset_bytes + buffer.size_bytes
        if end > peak_bytes:
            raise CheckError(
                where, f"found buffer {buffer.name} up to byte {end}, the plan states a peak of {peak_bytes}"
            )


def _peak(where: str, memory: str, found_bytes: int, allowed_bytes: int) -> None:
    if found_bytes > allowed_bytes:
        raise CheckError(where, f"found a peak of {found_bytes} bytes in {memory}, allowed {allowed_bytes}")
