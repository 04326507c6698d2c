"""How values, computed or constant, are put below or beside each other: each is a run of rows or columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from tmc.backend_gap9.kernels.moves import COPY_ROWS, MoveCosts, copied
from tmc.backend_gap9.kernels.record import Form, Kernel, KernelRecord, Run
from tmc.ir.attrs import ConcatAttrs
from tmc.ir.graph import Graph, Op, OpKind


def _axis(op: Op) -> int:
    assert isinstance(op.attrs, ConcatAttrs)
    return op.attrs.axis


def _form(op: Op) -> Form:
    return "moves" if _axis(op) == 0 else "rows"


def _runs(graph: Graph, op: Op) -> tuple[Run, ...]:
    counts = [graph.types[name].shape[_axis(op)] for name in op.inputs]
    targets = accumulate(counts, initial=0)
    return tuple(
        copied(number, target, 0, count)
        for number, (count, target) in enumerate(zip(counts, targets, strict=False))
    )


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (COPY_ROWS,)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    return {}


def _line_tables(graph: Graph, op: Op) -> tuple[str, ...]:
    """Return the operands that are constant: their rows travel as those of any other."""
    return tuple(dict.fromkeys(name for name in op.inputs if name in graph.constants))


CONCAT = KernelRecord(
    OpKind.CONCAT,
    "cores",
    _form,
    (COPY_ROWS,),
    _chosen,
    _numbers,
    ("moves", MoveCosts),
    line_tables=_line_tables,
    runs=_runs,
)
