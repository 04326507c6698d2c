"""Kernels of a linear: int8 weights times int8 or int16 rows, requantised, added or left wide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tmc.backend_gap9.kernels.costs import BlockCosts, costs_of, share
from tmc.backend_gap9.kernels.operands import (
    CHANNELS,
    ROWS,
    TABLE_BYTES,
    flat,
    result,
    rows_of,
    runs_of_rows,
    weights_of,
)
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord, OperandRule
from tmc.backend_gap9.kernels.weight_rows import packed_rows, weight_pitch
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import Array, DType

# How a core walks its share: rows in blocks; the same with stores by channels; blocks that begin again where
# a run of rows with one bias ends; an output at a time, of int8 or of int16 rows.
Walk = Literal["rows", "transposed", "grouped", "single", "single_wide"]


@dataclass(frozen=True, slots=True)
class LinearCosts:
    """A block for each way to walk; `row` is one row of x that fills no block.

    table_cycles and residual_cycles come on top, per output. Grouped: up to a depth of grouped_depth, with
    grouped_run_cycles for every run of rows that share a bias and each block's channels.
    """

    rows: BlockCosts
    transposed: BlockCosts
    row: BlockCosts
    grouped: BlockCosts
    single: BlockCosts
    single_wide: BlockCosts
    table_cycles: float
    residual_cycles: float
    grouped_run_cycles: float
    grouped_depth: int


@dataclass(frozen=True, slots=True)
class _Variant:
    """What distinguishes one kernel: element types, what it does to a sum, how a core walks its share."""

    x: DType
    y: DType
    walk: Walk = "rows"
    table: bool = False
    residual: bool = False

    def core_cycles(self, target: Target, a: Arguments) -> float:
        """Return the cycles of the core with the largest share."""
        costs = costs_of(target, "linear", LinearCosts)
        rows, channels, depth = a["rows"], a["channels"], a["depth"]
        if self.walk == "grouped":
            return _grouped_cycles(target, costs, rows, channels, depth, a["group_rows"])
        if self.walk == "rows":
            rows = share(target, rows)
        else:
            channels = share(target, channels)
        block, depth_bytes = _block(costs, self.walk), depth * self.x.size_bytes
        left = self._rows_left(rows, block)
        cycles = block.cycles(rows - left, channels, depth_bytes)
        cycles += costs.row.cycles(left, channels, depth_bytes)
        each = costs.table_cycles * self.table + costs.residual_cycles * self.residual
        return cycles + rows * channels * each

    def _rows_left(self, rows: int, block: BlockCosts) -> int:
        """Return how many of a core's rows are computed one by one.

        Where there are fewer than a block has, and where none may be computed again: sums in place are
        computed once only, and columns of a transposed result have no neighbour's.
        """
        if self.walk not in ("rows", "transposed"):
            return 0
        once = self.residual or self.walk == "transposed"
        return rows % block.rows if once or rows < block.rows else 0

    def kernel(self, stem: str, *, scalar: int, xpulp: int) -> Kernel:
        """Return the kernel, of its stem and what it needs of the stack in bytes."""
        arguments: tuple[str, ...] = (
            "rows",
            "depth",
            "channels",
            "x_pitch",
            "weight_pitch",
            "y_pitch",
            "shift",
        )
        tables: list[OperandRule] = []
        if self.walk == "grouped":
            arguments = (*arguments, "row0", "group_rows", "bias_channels")
            pitch = mul(Var("bias_channels"), 4)
            tables.append(rows_of("bias", runs_of_rows(), mul(CHANNELS, 4), pitch, channel_bytes=4))
        if self.table:
            tables.append(flat("table", TABLE_BYTES))
        y = result(ROWS, mul(CHANNELS, self.y.size_bytes), access="update" if self.residual else "write")
        return Kernel(
            stem,
            "tmc_linear_args",
            (
                rows_of("x", ROWS, mul(Var("depth"), self.x.size_bytes), Var("x_pitch")),
                weights_of(Var("depth")),
                *tables,
                result(CHANNELS, ROWS) if self.walk == "transposed" else y,
            ),
            arguments,
            frozenset({"shift"}),
            {"scalar": scalar, "xpulp": xpulp},
            self.core_cycles,
        )


def _block(costs: LinearCosts, walk: Walk) -> BlockCosts:
    match walk:
        case "rows":
            return costs.rows
        case "transposed":
            return costs.transposed
        case "grouped":
            return costs.grouped
        case "single":
            return costs.single
        case "single_wide":
            return costs.single_wide


def _grouped_cycles(
    target: Target, costs: LinearCosts, rows: int, channels: int, depth: int, group_rows: int
) -> float:
    """Return the cycles of the core that takes longest; a core's rows are cut where a group ends."""
    chunk = share(target, rows)

    def run(count: int) -> float:
        if count < costs.grouped.rows or depth > costs.grouped_depth:
            return costs.single_wide.cycles(count, channels, 2 * depth)
        setup = -(-channels // costs.grouped.channels) * costs.grouped_run_cycles
        return setup + costs.grouped.cycles(count, channels, 2 * depth)

    longest = 0.0
    for begin in range(0, rows, chunk):
        end = min(begin + chunk, rows)
        cuts = [begin, *range((begin // group_rows + 1) * group_rows, end, group_rows), end]
        longest = max(longest, sum(run(last - first) for first, last in pairwise(cuts)))
    return longest


_S8, _S16, _S32 = DType.S8, DType.S16, DType.S32
# By element types of x and y, table, residual, transposed.
_CHOICES: Mapping[tuple[DType, DType, bool, bool, bool], Kernel] = {
    (_S8, _S8, False, False, False): _Variant(_S8, _S8).kernel("tmc_linear_s8s8s8", scalar=16, xpulp=176),
    (_S8, _S8, True, False, False): _Variant(_S8, _S8, table=True).kernel(
        "tmc_linear_table_s8s8s8", scalar=16, xpulp=176
    ),
    (_S8, _S16, False, False, False): _Variant(_S8, _S16).kernel("tmc_linear_s8s8s16", scalar=48, xpulp=176),
    (_S8, _S16, False, True, False): _Variant(_S8, _S16, residual=True).kernel(
        "tmc_linear_add_s8s8s16", scalar=80, xpulp=192
    ),
    (_S8, _S8, False, False, True): _Variant(_S8, _S8, "transposed").kernel(
        "tmc_linear_transposed_s8s8s8", scalar=16, xpulp=176
    ),
    (_S8, _S8, True, False, True): _Variant(_S8, _S8, "transposed", table=True).kernel(
        "tmc_linear_table_transposed_s8s8s8", scalar=16, xpulp=176
    ),
    (_S16, _S16, False, False, False): _Variant(_S16, _S16, "grouped").kernel(
        "tmc_linear_grouped_s16s8s16", scalar=80, xpulp=560
    ),
    (_S8, _S32, False, False, False): _Variant(_S8, _S32, "single").kernel(
        "tmc_linear_s8s8s32", scalar=32, xpulp=64
    ),
    (_S16, _S32, False, False, False): _Variant(_S16, _S32, "single_wide").kernel(
        "tmc_linear_s16s8s32", scalar=32, xpulp=80
    ),
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    """Return the kernel of a linear from its element types and attributes."""
    attrs = op.attrs
    assert isinstance(attrs, QLinearAttrs)
    x, y = graph.types[op.inputs[0]].dtype, graph.types[op.output].dtype
    kernel = _CHOICES.get((x, y, attrs.table, attrs.residual, attrs.layout == "transposed"))
    if kernel is None:
        raise PlanError(
            op.loc,
            f"found a linear from {x.value} to {y.value}, layout {attrs.layout}, "
            f"table {attrs.table}, residual {attrs.residual}; allowed "
            f"{', '.join(sorted(kernel.stem for kernel in _CHOICES.values()))}",
            "merge two linears in a row into one, or put a LayerNorm or GELU between them",
        )
    return (kernel,)


def _is_grouped(graph: Graph, op: Op) -> bool:
    """Tell whether bias rows lie beside the weights: int16 in, int16 out."""
    return all(graph.types[name].dtype is DType.S16 for name in (op.inputs[0], op.output))


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    assert isinstance(op.attrs, QLinearAttrs)
    channels, depth = graph.types[op.inputs[1]].shape
    # Rows that share a row of bias: all of them, but where there are several such rows.
    group_rows = graph.types[op.inputs[0]].shape[0] // graph.types[op.inputs[3]].shape[0]
    return {
        "depth": depth,
        "weight_pitch": weight_pitch(depth),
        "shift": op.attrs.shift,
        "group_rows": group_rows,
        "bias_channels": channels,
    }


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    assert isinstance(op.attrs, QLinearAttrs)
    bias = {"bias": graph.constants[op.inputs[3]]} if _is_grouped(graph, op) else {}
    table = {"table": graph.constants[op.inputs[4]]} if op.attrs.table else {}
    return {**bias, **table}


def _weight_rows(graph: Graph, op: Op) -> Array:
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    return packed_rows(weight, multiplier, None if _is_grouped(graph, op) else bias[0])


def _macs(graph: Graph, op: Op) -> int:
    channels, depth = graph.types[op.inputs[1]].shape
    return graph.types[op.inputs[0]].shape[0] * channels * depth


LINEAR = KernelRecord(
    OpKind.QLINEAR,
    "cores",
    "channels",
    tuple(_CHOICES.values()),
    _chosen,
    _numbers,
    ("linear", LinearCosts),
    _tables,
    weight_rows=_weight_rows,
    macs=_macs,
)
