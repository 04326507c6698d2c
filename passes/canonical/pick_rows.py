"""Pick rows before they are computed rather than after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.attrs import ConcatAttrs, GatherAttrs, PermuteRowsAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import POINTWISE
from tmc.ir.types import Array

# Indices of rows of a value; None stands for all of them, in order.
Rows = Array | None

# Row r of the result comes from row r of each operand that has a row for each, and from what all rows share.
_ROW_BY_ROW = POINTWISE | {OpKind.LINEAR, OpKind.LAYERNORM, OpKind.FUNCTION, OpKind.ROPE}
# Of more rows than this part, moving all operands costs more than is saved.
_LARGEST_PART = 0.5


def pick_rows(graph: Graph) -> Graph:
    """Compute only the rows that are read, where few are picked: of a class token, or of the last sample.

    rows(f(x)) becomes f(rows(x)) for what works row by row, where all who read f(x) want the same rows:
    sums, activations, norms, linears, rotations, gathers of columns, values side by side; of attention the
    queries. Other moves of rows, and values below each other, are followed.
    Exact: the same arithmetic on fewer rows.
    """
    picking, wanted = _Picking(graph), _wanted(graph)
    for op in graph.ops:
        if op.output in wanted:
            picking.add(op, wanted[op.output])
    return picking.builder.graph()


def _wanted(graph: Graph) -> dict[str, Rows]:
    """Return which rows of each value are read, all of them where readers differ."""
    wanted: dict[str, Rows] = dict.fromkeys(graph.outputs)
    for op in reversed(graph.ops):
        if op.output not in wanted:
            continue
        needs = _needs(op, wanted[op.output], graph)
        for name, rows in (dict.fromkeys(op.inputs) if needs is None else needs).items():
            wanted[name] = rows if name not in wanted or _same(rows, wanted[name]) else None
    return wanted


def _same(rows: Rows, others: Rows) -> bool:
    return rows is not None and others is not None and np.array_equal(rows, others)


def _needs(op: Op, rows: Rows, graph: Graph) -> dict[str, Rows] | None:
    """Return the rows of computed operands of which an op computes these rows; None if it needs them all."""
    moved = _moved(op, graph)
    if moved is not None and rows is None:
        few = moved.size <= _LARGEST_PART * graph.types[op.inputs[0]].shape[0]
        return {op.inputs[0]: moved} if few else None
    if rows is None:
        return None
    if moved is not None:
        return {op.inputs[0]: moved[rows]}
    if isinstance(op.attrs, ConcatAttrs) and op.attrs.axis == 0:
        return _part(op, rows, graph)
    if op.kind is OpKind.ATTENTION:
        q, k, v = op.inputs[:3]
        masks = dict.fromkeys(name for name in op.inputs[3:] if name not in graph.constants)
        return {**masks, k: None, v: None, q: rows} if q not in (k, v) else None
    if op.kind not in _ROW_BY_ROW and not isinstance(op.attrs, GatherAttrs | ConcatAttrs):
        return None
    computed = [name for name in op.inputs if name not in graph.constants]
    return {name: None if graph.types[name].shape[:-1] in ((), (1,)) else rows for name in computed}


def _moved(op: Op, graph: Graph) -> Rows:
    """Return which row of its operand each row of a move of rows is; None for any other op."""
    if isinstance(op.attrs, GatherAttrs) and op.attrs.axis == 0:
        return np.array(op.attrs.indices, dtype=np.int64)
    if isinstance(op.attrs, PermuteRowsAttrs):
        return np.arange(graph.types[op.output].shape[0]).reshape(op.attrs.groups, -1).T.reshape(-1)
    return None


def _part(op: Op, rows: Array, graph: Graph) -> dict[str, Rows] | None:
    """Return the one computed value, of those below each other, in which all rows lie, and its rows."""
    ends = np.cumsum([graph.types[name].shape[0] for name in op.inputs])
    parts = np.searchsorted(ends, rows, side="right")
    name = op.inputs[int(parts[0])]
    if bool((parts != parts[0]).any()) or name in graph.constants or op.inputs.count(name) > 1:
        return None
    return {name: rows - (ends[parts[0]] - graph.types[name].shape[0])}


class _Picking:
    """The new graph so far, and the picked rows in it."""

    def __init__(self, graph: Graph) -> None:
        self.builder = GraphBuilder.like(graph)
        self._graph = graph
        self._picked: dict[tuple[str, bytes], str] = {}

    def add(self, op: Op, rows: Rows) -> None:
        """Compute these rows of what an op computes, or all where they cannot be computed alone."""
        needs = _needs(op, rows, self._graph)
        if needs is None:
            self.builder.keep(op)
            return
        operands = {name: self._pick(name, part, op.loc) for name, part in needs.items()}
        if _moved(op, self._graph) is not None or (isinstance(op.attrs, ConcatAttrs) and op.attrs.axis == 0):
            (result,) = operands.values()
        else:
            assert rows is not None, "an op that computes all rows is kept"
            inputs = tuple(operands.get(name) or self._constant(op, name, rows) for name in op.inputs)
            result = self.builder.keep(replace(op, inputs=inputs, output=self.builder.fresh(op.output)))
        if rows is None:
            self.builder.forward(op.output, result)
        else:
            self._picked[op.output, rows.tobytes()] = result

    def _pick(self, value: str, rows: Rows, loc: str) -> str:
        """Return these rows of a value, computed alone or gathered."""
        if rows is None:
            return value
        key = (value, rows.tobytes())
        if key not in self._picked:
            attrs = GatherAttrs(0, tuple(rows.tolist()), rows.shape)
            self._picked[key] = self.builder.op(OpKind.GATHER, [value], attrs, loc)
        return self._picked[key]

    def _constant(self, op: Op, name: str, rows: Array) -> str:
        """Return a constant operand for the picked rows.

        Row r of a linear takes line r // (M / G) of its bias of G lines; of all else line r % P of P.
        """
        array = self._graph.constants[name]
        axis = 1 if op.kind is OpKind.ATTENTION else 0
        is_weight = op.kind is OpKind.LINEAR and name == op.inputs[1]
        lines = 1 if is_weight or array.ndim < 2 else array.shape[axis]
        if lines == 1:
            return name
        if op.kind is OpKind.LINEAR:
            rows = rows // (self._graph.types[op.output].shape[0] // lines)
        return self.builder.constant(np.take(array, rows % lines, axis), name)
