"""What a program states, against the graph and the plan: shapes, views, buffers, peaks."""

from __future__ import annotations

from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.program.program import Program
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph, OpKind, follow
from tmc.ir.types import DType


def check_values(program: Program, graph: Graph, plan: Plan) -> None:
    """Check shapes, views, inputs and outputs."""
    views = {op.output: op.inputs[0] for op in graph.ops if op.kind is OpKind.RESHAPE}
    for name in sorted({*views, *program.views}):
        allowed = follow(name, views.get)[1:]
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
    if len(set(ends)) != len(ends) or set(ends) != external:
        raise CheckError("program", f"found buffers {', '.join(ends)} of the caller, allowed each once")
    values = {name: value for value, name in (*program.inputs.items(), *program.outputs.items())}
    for buffer in program.buffers:
        if buffer.external and buffer.size_bytes != graph.types[values[buffer.name]].size_bytes:
            raise CheckError(
                f"buffer {buffer.name}",
                f"found {buffer.size_bytes} bytes, allowed the {graph.types[values[buffer.name]].size_bytes} "
                f"of %{values[buffer.name]}",
            )
    _check_scratch(program, graph, plan)


def _check_scratch(program: Program, graph: Graph, plan: Plan) -> None:
    """Check that values of the program alone take no more bytes than ops need.

    Attention: s16 scores and u8 exponentials of every query and key, and 8 bytes per query. On the
    accelerator: s32 scores, a sum of 4 bytes for each result, K and V in groups of 16 bytes, with 4 more for
    each row. Linears on the accelerator: a sum of 4 bytes for each result.
    """
    known = {*graph.types, *(entry.block.name for entry in plan.residency)}
    found = sum(shape.rows * shape.row_bytes for name, shape in program.values.items() if name not in known)
    allowed = 0
    for op in graph.ops:
        if op.kind is OpKind.QATTENTION:
            (heads, queries, width), (_, keys, _) = (graph.types[name].shape for name in op.inputs[:2])
            allowed += heads * queries * (3 * keys + 8)
            if graph.types[op.inputs[0]].dtype is DType.U8:
                allowed += heads * queries * (2 * keys + 4 * width)
                allowed += heads * (keys * (width + 19) + width * (keys + 19))
        elif op.kind is OpKind.QLINEAR and graph.types[op.inputs[0]].dtype is DType.U8:
            allowed += 4 * graph.types[op.output].elements
    if found > allowed:
        raise CheckError(
            "program", f"found {found} bytes of values that the graph does not know, allowed {allowed}"
        )


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
        if size_bytes != peak_bytes:
            raise CheckError(
                "program", f"found {size_bytes} bytes of {memory}, allowed the {peak_bytes} of the plan"
            )


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
