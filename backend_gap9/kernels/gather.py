"""How rows or columns of a value are picked, repeated and dropped: run by run, or one by one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

import numpy as np

from tmc.backend_gap9.kernels.moves import (
    COPY_ROWS,
    GATHER_COLUMNS,
    GATHER_ROWS,
    MoveCosts,
    copied,
    cut_at_jumps,
)
from tmc.backend_gap9.kernels.record import Form, Kernel, KernelRecord, Run
from tmc.ir.attrs import GatherAttrs
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array

# Each run is a call of its own, or a loop of calls; more of them are picked by a table.
RUNS_MAX = 4


def _attrs(op: Op) -> GatherAttrs:
    assert isinstance(op.attrs, GatherAttrs)
    return op.attrs


def _form(op: Op) -> Form:
    return "moves" if _attrs(op).axis == 0 else "rows"


def _runs(graph: Graph, op: Op) -> tuple[Run, ...]:
    """Return runs of consecutive ones while they are few, else one of all with a table of their numbers."""
    attrs = _attrs(op)
    pieces = cut_at_jumps(attrs.indices)
    if len(pieces) > RUNS_MAX:
        kernel = GATHER_ROWS if attrs.axis == 0 else GATHER_COLUMNS[graph.types[op.output].dtype]
        return (Run(0, 0, attrs.indices, kernel),)
    targets = accumulate(map(len, pieces), initial=0)
    return tuple(
        copied(0, target, piece.start, len(piece)) for target, piece in zip(targets, pieces, strict=False)
    )


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return tuple(dict.fromkeys(run.kernel for run in _runs(graph, op)))


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    """Return the columns that a table picks from, and how many it picks."""
    return {"x_channels": graph.types[op.inputs[0]].shape[1], "channels": graph.types[op.output].shape[1]}


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    """Return the numbers of rows or columns that are picked one by one."""
    return {} if COPY_ROWS in _chosen(graph, op) else {"table": np.array(_attrs(op).indices, "<u2")}


GATHER = KernelRecord(
    OpKind.GATHER,
    "cores",
    _form,
    (COPY_ROWS, GATHER_ROWS, *GATHER_COLUMNS.values()),
    _chosen,
    _numbers,
    ("moves", MoveCosts),
    _tables,
    runs=_runs,
)
