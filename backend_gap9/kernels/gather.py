"""How rows of a value are picked, repeated and dropped: run by run, or one by one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

import numpy as np

from tmc.backend_gap9.kernels.moves import COPY_ROWS, GATHER_ROWS, MoveCosts, copied, cut_at_jumps
from tmc.backend_gap9.kernels.record import Form, Kernel, KernelRecord, Run
from tmc.ir.attrs import GatherAttrs
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array

# Each run is a loop of its own in C; more of them are picked row by row.
RUNS_MAX = 4


def _form(op: Op) -> Form:
    return "moves"


def _runs(graph: Graph, op: Op) -> tuple[Run, ...]:
    """Return runs of consecutive rows while they are few, else all rows with a table of their numbers."""
    assert isinstance(op.attrs, GatherAttrs)
    pieces = cut_at_jumps(op.attrs.indices)
    if len(pieces) > RUNS_MAX:
        return (Run(0, 0, op.attrs.indices, GATHER_ROWS),)
    targets = accumulate(map(len, pieces), initial=0)
    return tuple(
        copied(0, target, piece.start, len(piece)) for target, piece in zip(targets, pieces, strict=False)
    )


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return tuple(dict.fromkeys(run.kernel for run in _runs(graph, op)))


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    return {}


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    """Return the numbers of rows that are picked one by one."""
    assert isinstance(op.attrs, GatherAttrs)
    return {"table": np.array(op.attrs.indices, "<u2")} if GATHER_ROWS in _chosen(graph, op) else {}


GATHER = KernelRecord(
    OpKind.GATHER,
    "cores",
    _form,
    (COPY_ROWS, GATHER_ROWS),
    _chosen,
    _numbers,
    ("moves", MoveCosts),
    _tables,
    runs=_runs,
)
