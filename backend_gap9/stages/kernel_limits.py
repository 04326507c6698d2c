"""What the kernels cannot take, said about the network before anything is planned."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.stages.staged import Rows
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.ops import VIEWS
from tmc.ir.types import DType

WORD_BYTES = 4


def _rows_in_words(op: Op) -> tuple[str, ...]:
    """Return the values whose rows the kernel of an op takes as whole words: interpolations write halves."""
    return op.inputs if op.kind is OpKind.QINTERPOLATE_ROWS else (*op.inputs, op.output)


def check_kernel_limits(graph: Graph, layouts: Mapping[str, Rows]) -> None:
    """Refuse a graph that computes nothing, and rows that do not start at words.

    Kernels read and write four bytes at a time, with one exception. Raises: PlanError naming the ONNX node.
    """
    if all(op.kind in VIEWS for op in graph.ops):
        raise PlanError(
            f"graph @{graph.name}", "found nothing to compute, allowed one op or more", "check the export"
        )
    for op in graph.ops:
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
    touched = (name for op in graph.ops if op.kind not in VIEWS for name in _rows_in_words(op))
    for name in touched:
        rows = layouts.get(name)
        if rows is not None and rows.rows > 1 and rows.pitch_bytes % WORD_BYTES:
            columns, dtype = graph.types[name].shape[-1], graph.types[name].dtype
            raise PlanError(
                made_by[name].loc if name in made_by else f"input %{name}",
                f"found rows of {columns} elements of {dtype.value} in %{name}, "
                f"allowed multiples of {WORD_BYTES // dtype.size_bytes}",
                "nothing lies between the rows of what the caller gives and gets, or a Reshape reads: "
                "choose another size, or pad the rows with zeros",
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
