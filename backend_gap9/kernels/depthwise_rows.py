"""Kernels of a depthwise convolution over rows: int8 columns, each with taps of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import (
    CHANNELS,
    ROWS,
    TABLE_BYTES,
    flat,
    result,
    rows_of,
    weights_of,
)
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.kernels.weight_rows import packed_rows, weight_pitch
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.types import Array


@dataclass(frozen=True, slots=True)
class DepthwiseRowsCosts:
    """Per tap of an output, per output, and per output with a table."""

    tap_cycles: float
    output_cycles: float
    table_cycles: float


def _kernel(stem: str, *, table: bool) -> Kernel:
    def core_cycles(target: Target, a: Arguments) -> float:
        """Return the cycles of whole columns; the kernel splits channels."""
        costs = costs_of(target, "depthwise_rows", DepthwiseRowsCosts)
        output = a["taps"] * costs.tap_cycles + costs.output_cycles + costs.table_cycles * table
        return share(target, a["channels"]) * a["rows"] * output

    return Kernel(
        stem,
        "tmc_depthwise_rows_args",
        (
            rows_of("x", ROWS, CHANNELS, Var("x_pitch")),
            weights_of(Var("taps")),
            *((flat("table", TABLE_BYTES),) if table else ()),
            result(ROWS, CHANNELS),
        ),
        ("rows", "channels", "taps", "x_pitch", "weight_pitch", "y_pitch", "zero_point", "shift"),
        frozenset({"zero_point", "shift"}),
        {"scalar": 16, "xpulp": 32},
        core_cycles,
    )


_PLAIN = _kernel("tmc_depthwise_rows_s8s8", table=False)
_TABLE = _kernel("tmc_depthwise_rows_table_s8s8", table=True)


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    assert isinstance(op.attrs, QDepthwiseRowsAttrs)
    return (_TABLE if op.attrs.table else _PLAIN,)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    attrs = op.attrs
    assert isinstance(attrs, QDepthwiseRowsAttrs)
    taps = graph.types[op.inputs[1]].shape[1]
    return {
        "rows": graph.types[op.output].shape[0],
        "taps": taps,
        "weight_pitch": weight_pitch(taps),
        "zero_point": attrs.zero_point,
        "shift": attrs.shift,
    }


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    assert isinstance(op.attrs, QDepthwiseRowsAttrs)
    return {"table": graph.constants[op.inputs[4]]} if op.attrs.table else {}


def _weight_rows(graph: Graph, op: Op) -> Array:
    """Return the taps of each column, packed as rows of weights."""
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    return packed_rows(weight, multiplier, bias)


def _macs(graph: Graph, op: Op) -> int:
    rows, channels = graph.types[op.inputs[0]].shape
    return rows * channels * graph.types[op.inputs[1]].shape[1]


DEPTHWISE_ROWS = KernelRecord(
    OpKind.QDEPTHWISE_ROWS,
    "cores",
    "columns",
    (_PLAIN, _TABLE),
    _chosen,
    _numbers,
    ("depthwise_rows", DepthwiseRowsCosts),
    _tables,
    weight_rows=_weight_rows,
    macs=_macs,
)
