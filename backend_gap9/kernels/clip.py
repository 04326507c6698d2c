"""Kernels of a clip between limits of every column, int8, int16 or int32, or added to the residual stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, result, rows_of, runs_of_rows
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.types import Array, DType


@dataclass(frozen=True, slots=True)
class ClipCosts:
    """Per byte of the input; per element where the result is added to the residual stream."""

    byte_cycles: float
    added_cycles: float


def _kernel(stem: str, dtype: DType, *, scalar: int, xpulp: int, residual: bool = False) -> Kernel:
    def core_cycles(target: Target, a: Arguments) -> float:
        costs = costs_of(target, "clip", ClipCosts)
        each = costs.added_cycles if residual else costs.byte_cycles * dtype.size_bytes
        return share(target, a["rows"]) * a["channels"] * each

    row_bytes = mul(CHANNELS, dtype.size_bytes)
    limits = (rows_of(field, runs_of_rows(), row_bytes, Var("limit_pitch")) for field in ("low", "high"))
    return Kernel(
        stem,
        "tmc_clip_args",
        (
            rows_of("x", ROWS, row_bytes, Var("x_pitch")),
            *limits,
            result(ROWS, row_bytes, access="update" if residual else "write"),
        ),
        ("rows", "channels", "x_pitch", "limit_pitch", "y_pitch", "row0", "group_rows"),
        frozenset(),
        {"scalar": scalar, "xpulp": xpulp},
        core_cycles,
    )


# By element type and residual.
_CHOICES: Mapping[tuple[DType, bool], Kernel] = {
    (DType.S8, False): _kernel("tmc_clip_s8s8", DType.S8, scalar=16, xpulp=16),
    (DType.S16, False): _kernel("tmc_clip_s16s16", DType.S16, scalar=32, xpulp=16),
    (DType.S32, False): _kernel("tmc_clip_s32s32", DType.S32, scalar=16, xpulp=16),
    (DType.S16, True): _kernel("tmc_clip_add_s16s16", DType.S16, scalar=32, xpulp=16, residual=True),
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    assert isinstance(op.attrs, QClipAttrs)
    return (_CHOICES[graph.types[op.output].dtype, op.attrs.residual],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    kind = graph.types[op.output]
    groups, channels = graph.types[op.inputs[1]].shape
    return {
        "limit_pitch": word_up(channels * kind.dtype.size_bytes),
        "group_rows": kind.shape[0] // groups,
    }


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    low, high = (_in_words(graph.constants[name]) for name in op.inputs[1:3])
    return {"low": low, "high": high}


def _in_words(rows: Array) -> Array:
    """Return rows that each start at a word, in target byte order."""
    more = -rows.shape[1] * rows.itemsize % 4 // rows.itemsize
    return np.pad(rows, ((0, 0), (0, more))).astype(rows.dtype.newbyteorder("<"))


CLIP = KernelRecord(
    OpKind.QCLIP, "cores", "rows", tuple(_CHOICES.values()), _chosen, _numbers, ("clip", ClipCosts), _tables
)
