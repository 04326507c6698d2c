"""What the kernels cannot take, said about the network before anything is planned."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.kernels.gather import RUNS_MAX
from tmc.backend_gap9.kernels.moves import COPY_ROWS, INDICES
from tmc.backend_gap9.kernels.table import RECORDS, record_of
from tmc.backend_gap9.program.program import Const
from tmc.backend_gap9.stages.staged import Rows
from tmc.ir.attrs import ConcatAttrs, GatherAttrs, TransposeAttrs
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.ops import VIEWS
from tmc.ir.types import DType

WORD_BYTES = 4


def _pitch_units(graph: Graph, op: Op) -> dict[str, int]:
    """Return what the rows of each value that an op reads or makes have to be multiples of bytes apart.

    Whole words, but where kernels say less: those that move rows take them as they come.
    """
    record = RECORDS.get((op.kind, "cores"))
    units = dict.fromkeys((*op.inputs, op.output), WORD_BYTES)
    if record is None:
        return units
    said = {
        rule.field: rule.pitch_unit.value if isinstance(rule.pitch_unit, Const) else 1
        for kernel in record.chosen(graph, op)
        for rule in kernel.operands
    }
    moved = len(op.inputs) if record.runs(graph, op) else 0
    fields = zip((*record.row_inputs, *("x" for _ in range(moved))), op.inputs, strict=False)
    return units | {name: said[field] for field, name in (*fields, ("y", op.output)) if field in said}


def check_kernel_limits(graph: Graph, layouts: Mapping[str, Rows]) -> None:
    """Refuse a graph that computes nothing, and rows that do not start where kernels can read and write them.

    Most take four bytes at a time. Raises: PlanError naming the ONNX node.
    """
    if all(op.kind in VIEWS for op in graph.ops):
        raise PlanError(
            f"graph @{graph.name}", "found nothing to compute, allowed one op or more", "check the export"
        )
    for op in graph.ops:
        if op.kind in (OpKind.GATHER, OpKind.CONCAT):
            _check_move(graph, op)
        if isinstance(op.attrs, TransposeAttrs) and op.attrs.permutation != (1, 0):
            raise PlanError(
                op.loc,
                f"found a transpose to axes {op.attrs.permutation}, allowed (1, 0)",
                "reshape before it, so that rows become columns",
            )
        if op.kind is OpKind.QATTENTION:
            if isinstance(op.attrs, QAttentionAttrs) and op.attrs.normalised:
                raise PlanError(
                    op.loc,
                    "found a softmax divided by its sum before the product with V, allowed after it",
                    "no kernel does the first, which is there to be compared: "
                    "compile with softmax_division=deferred, the default recipe",
                )
            width = graph.types[op.inputs[0]].shape[2]
            if width % WORD_BYTES:
                raise PlanError(
                    op.loc,
                    f"found heads of {width} columns, allowed multiples of {WORD_BYTES}",
                    "use another number of heads, or pad their columns with zeros",
                )
        if isinstance(op.attrs, QLinearAttrs):
            _check_bias(graph, op)
    made_by = producers(graph)
    touched = (
        each for op in graph.ops if op.kind is not OpKind.RESHAPE for each in _pitch_units(graph, op).items()
    )
    for name, unit in touched:
        rows = layouts.get(name)
        if rows is not None and rows.rows > 1 and rows.pitch_bytes % unit:
            columns, dtype = graph.types[name].shape[-1], graph.types[name].dtype
            raise PlanError(
                made_by[name].loc if name in made_by else f"input %{name}",
                f"found rows of {columns} elements of {dtype.value} in %{name}, "
                f"allowed multiples of {WORD_BYTES // dtype.size_bytes}",
                "nothing lies between the rows of what the caller gives and gets, or a Reshape reads: "
                "choose another size, or pad the rows with zeros",
            )


def _check_move(graph: Graph, op: Op) -> None:
    """Refuse moves of anything but rows and columns, and numbers of them that a table cannot hold."""
    assert isinstance(op.attrs, GatherAttrs | ConcatAttrs)
    axes = len(graph.types[op.output].shape)
    if axes != 2:
        raise PlanError(
            op.loc,
            f"found {op.kind.value} along axis {op.attrs.axis} of {axes} axes, allowed 2 axes",
            "reshape before it, so that rows or columns move",
        )
    count, what = graph.types[op.inputs[0]].shape[op.attrs.axis], ("rows", "columns")[op.attrs.axis]
    if count > INDICES and COPY_ROWS not in record_of(op.kind).chosen(graph, op):
        raise PlanError(
            op.loc,
            f"found {count:,} {what} to pick from, allowed {INDICES:,}",
            f"pick {RUNS_MAX} runs of {what} or fewer, or cut the recording into shorter windows",
        )


def _check_bias(graph: Graph, op: Op) -> None:
    """Refuse a bias that differs from row to row, but where int16 is made of int16."""
    rows = graph.types[op.inputs[3]].shape[0]
    if rows > 1 and any(graph.types[name].dtype is not DType.S16 for name in (op.inputs[0], op.output)):
        raise PlanError(
            op.loc,
            f"found {rows} different constant rows added to the result of a linear, allowed one row for all "
            "tokens, or an embedding of the network's input in front of a LayerNorm or a residual block",
            "add positions to the embedding, or one row to this linear",
        )
