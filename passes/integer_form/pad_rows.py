"""Copy rows that kernels cannot read or write where they lie."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tmc.ir.attrs import GatherAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.ops import VIEWS

# Kernels take four bytes at a time, from the start of each row.
WORD_BYTES = 4
# But those of these read and write rows as they come, and one writes them element by element.
_ANY_ROWS = VIEWS | {OpKind.TRANSPOSE, OpKind.GATHER, OpKind.CONCAT}
_ANY_RESULT = frozenset({OpKind.QINTERPOLATE_ROWS})


def pad_rows(graph: Graph) -> Graph:
    """Put a copy before, or behind, what reads or writes rows that are no whole words and lie side by side.

    Nothing lies between the rows of what the caller gives and gets, and of what a reshape sees in another
    shape; the rows of every other value start at whole words. So the copy of such a value has room behind
    each row: a gather of all its rows. Exact: the same codes.
    """
    root: dict[str, str] = {}
    for op in graph.ops:
        if op.kind in VIEWS:
            root[op.output] = root.get(op.inputs[0], op.inputs[0])
    dense = {root.get(name, name) for name in (*graph.inputs, *graph.outputs, *root)}

    def is_ragged(name: str) -> bool:
        kind = graph.types[name]
        return (
            name not in graph.constants
            and root.get(name, name) in dense
            and prod(kind.shape[:-1]) > 1
            and kind.shape[-1] * kind.dtype.size_bytes % WORD_BYTES != 0
        )

    builder = GraphBuilder.like(graph)
    padded: dict[str, str] = {}

    def copy(value: str, like: str, loc: str, output: str | None = None) -> str:
        rows = graph.types[like].shape[0]
        attrs = GatherAttrs(0, tuple(range(rows)), (rows,))
        return builder.op(OpKind.GATHER, [value], attrs, loc, output, graph.types[like].quant)

    for op in graph.ops:
        if op.kind in _ANY_ROWS:
            builder.keep(op)
            continue
        for name in op.inputs:
            if is_ragged(name) and name not in padded:
                padded[name] = copy(name, name, op.loc, builder.fresh(f"{name}.padded"))
        inputs = tuple(padded.get(name, name) for name in op.inputs)
        if is_ragged(op.output) and op.kind not in _ANY_RESULT:
            name = padded[op.output] = builder.fresh(f"{op.output}.padded")
            builder.op(op.kind, inputs, op.attrs, op.loc, name, graph.types[op.output].quant)
            copy(name, op.output, op.loc, op.output)
        else:
            builder.keep(replace(op, inputs=inputs))
    return builder.graph()
