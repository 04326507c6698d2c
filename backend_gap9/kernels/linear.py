"""Kernels of a linear: int8 weights times int8, uint8 or int16 rows, requantised, added or left wide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tmc.backend_gap9.kernels.costs import BlockCosts, costs_of, idle_call_cycles, share
from tmc.backend_gap9.kernels.epilogue import EpilogueCosts, epilogues
from tmc.backend_gap9.kernels.grid import SPLIT, GridPart, grid_parts
from tmc.backend_gap9.kernels.ne16 import JobCosts, ne16_kernel, ne16_tables, packed_bits, packed_pitch
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
from tmc.backend_gap9.program.expressions import div, mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import Array, DType

# Results that lie side by side: all channels of a call, or those of a head.
HEAD_CHANNELS = "head_channels"
# How results come: row by row, or transposed; with a bias beside the weights for each run of rows; of int16
# rows, an output at a time.
Walk = Literal["rows", "transposed", "grouped", "single_wide"]


@dataclass(frozen=True, slots=True)
class ChainCosts:
    """A core computes up to `rows` rows times all its channels in one go, `channels` of them at a time.

    The block of channels of n rows takes ceil(depth / 4) * (step_cycles + n * step_row_cycles) + block_cycles
    + n * block_row_cycles: a step takes 4 bytes of each row of depth, then come requantisation and stores.
    chain_cycles is what all blocks of some rows take together besides.
    """

    rows: int
    channels: int
    step_cycles: float
    step_row_cycles: float
    block_cycles: float
    block_row_cycles: float
    chain_cycles: float

    def cycles(self, rows: int, channels: int, depth_bytes: int) -> float:
        """Return the cycles of one core for whole blocks of channels of its rows."""
        blocks, steps = channels // self.channels, -(-depth_bytes // 4)
        if blocks == 0:
            return 0.0
        chains = -(-rows // self.rows)
        each_block = steps * self.step_cycles + self.block_cycles
        each_row = steps * self.step_row_cycles + self.block_row_cycles
        return chains * self.chain_cycles + blocks * (chains * each_block + rows * each_row)


@dataclass(frozen=True, slots=True)
class LinearCosts:
    """Chains for each way results come; table_cycles and residual_cycles come on top, per output.

    call_cycles: of a call besides its chains, and what every call has; long_code_cycles: of the first in a
    stage, whose chains are much code. single, single_wide: one output of
    int8 and of int16 rows, of a channel that fills no block. ne16: on the accelerator, and epilogue: what the
    cores make of its results.
    """

    rows: ChainCosts
    transposed: ChainCosts
    grouped: ChainCosts
    single: BlockCosts
    single_wide: BlockCosts
    ne16: JobCosts
    epilogue: EpilogueCosts
    call_cycles: float
    long_code_cycles: float
    table_cycles: float
    residual_cycles: float


@dataclass(frozen=True, slots=True)
class _Variant:
    """What distinguishes one kernel: element types, what it does to a sum, how results come."""

    x: DType
    y: DType
    walk: Walk = "rows"
    table: bool = False
    residual: bool = False

    def core_cycles(self, target: Target, a: Arguments) -> float:
        """Return the cycles of the core with the largest share."""
        costs = costs_of(target, "linear", LinearCosts)
        rows, channels, depth_bytes = a["rows"], a["channels"], a["depth"] * self.x.size_bytes
        if self.walk == "single_wide":
            return costs.single_wide.cycles(rows, share(target, channels), depth_bytes)
        parts = grid_parts(target, rows, channels, a["split"])
        return costs.call_cycles + max(self._part_cycles(costs, part, depth_bytes, a) for part in parts)

    def long_code_cycles(self, target: Target) -> float:
        """Return what its chains take to come from L2."""
        return costs_of(target, "linear", LinearCosts).long_code_cycles * (self.walk != "single_wide")

    def _part_cycles(self, costs: LinearCosts, part: GridPart, depth_bytes: int, a: Arguments) -> float:
        chains = {"rows": costs.rows, "transposed": costs.transposed, "grouped": costs.grouped}[self.walk]
        single = costs.single_wide if self.walk == "grouped" else costs.single
        rest = part.channels % chains.channels
        each = costs.table_cycles * self.table + costs.residual_cycles * self.residual
        cycles = single.cycles(part.rows, rest, depth_bytes) + part.rows * part.channels * each
        head = a.get(HEAD_CHANNELS, part.channels)
        if head < part.channels:
            heads = (min(head, part.channels - first) for first in range(0, part.channels, head))
            return cycles + sum(chains.cycles(part.rows, each, depth_bytes) for each in heads)
        if self.walk != "grouped" or a["group_rows"] == 1:
            return cycles + chains.cycles(part.rows, part.channels, depth_bytes)
        # Where rows share a bias, no block goes beyond them.
        end, group_rows = part.row0 + part.rows, a["group_rows"]
        cuts = [part.row0, *range((part.row0 // group_rows + 1) * group_rows, end, group_rows), end]
        runs = (last - first for first, last in pairwise(cuts))
        return cycles + sum(chains.cycles(run, part.channels, depth_bytes) for run in runs)

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
        if self.walk != "single_wide":
            arguments = (*arguments, SPLIT)
        heads = self.walk == "rows" and self.y is DType.S8
        if heads:
            arguments = (*arguments, HEAD_CHANNELS)
        if self.table:
            tables.append(flat("table", TABLE_BYTES))
        depth = Var("depth")
        y = result(ROWS, mul(CHANNELS, self.y.size_bytes), access="update" if self.residual else "write")
        if heads:
            y = result(mul(ROWS, div(CHANNELS, Var(HEAD_CHANNELS))), Var(HEAD_CHANNELS))
        if self.walk == "transposed":
            y = result(CHANNELS, ROWS)
        return Kernel(
            stem,
            "tmc_linear_args",
            (
                rows_of("x", ROWS, mul(depth, self.x.size_bytes), Var("x_pitch")),
                weights_of(mul(depth, 2), bias=False) if self.walk == "grouped" else weights_of(depth),
                *tables,
                y,
            ),
            arguments,
            frozenset({"shift"}),
            {"scalar": scalar, "xpulp": xpulp},
            self.core_cycles,
            self.long_code_cycles,
        )


def job_costs(target: Target) -> JobCosts:
    """Return the costs of jobs on a target."""
    return costs_of(target, "linear", LinearCosts).ne16


def _epilogue_costs(target: Target) -> EpilogueCosts:
    return costs_of(target, "linear", LinearCosts).epilogue


EPILOGUES = epilogues(_epilogue_costs)


_S8, _U8, _S16, _S32 = DType.S8, DType.U8, DType.S16, DType.S32
# By element types of x and y, table, residual, transposed.
_CHOICES: Mapping[tuple[DType, DType, bool, bool, bool], Kernel] = {
    (_S8, _S8, False, False, False): _Variant(_S8, _S8).kernel("tmc_linear_s8s8s8", scalar=32, xpulp=224),
    (_S8, _S8, True, False, False): _Variant(_S8, _S8, table=True).kernel(
        "tmc_linear_table_s8s8s8", scalar=32, xpulp=224
    ),
    (_S8, _S16, False, False, False): _Variant(_S8, _S16).kernel("tmc_linear_s8s8s16", scalar=48, xpulp=224),
    (_S8, _S16, False, True, False): _Variant(_S8, _S16, residual=True).kernel(
        "tmc_linear_add_s8s8s16", scalar=80, xpulp=224
    ),
    (_S8, _S8, False, False, True): _Variant(_S8, _S8, "transposed").kernel(
        "tmc_linear_transposed_s8s8s8", scalar=48, xpulp=224
    ),
    (_S8, _S8, True, False, True): _Variant(_S8, _S8, "transposed", table=True).kernel(
        "tmc_linear_table_transposed_s8s8s8", scalar=48, xpulp=224
    ),
    (_S16, _S16, False, False, False): _Variant(_S16, _S16, "grouped").kernel(
        "tmc_linear_grouped_s16s8s16", scalar=80, xpulp=224
    ),
    (_S8, _S32, False, False, False): _Variant(_S8, _S32).kernel("tmc_linear_s8s8s32", scalar=32, xpulp=224),
    (_S16, _S32, False, False, False): _Variant(_S16, _S32, "single_wide").kernel(
        "tmc_linear_s16s8s32", scalar=32, xpulp=80
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class LinearJob:
    """How the accelerator computes a linear. epilogue: what the cores run behind the job, if anything.

    result: the type of what the job leaves.
    """

    kernel: Kernel
    result: DType
    epilogue: Kernel | None

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """Return the kernels in order."""
        return (self.kernel, *(() if self.epilogue is None else (self.epilogue,)))


_CODES = ne16_kernel("tmc_linear_u8s8s8", job_costs, scalar=160, ne16=96)
SUMS = ne16_kernel("tmc_linear_u8s8s32", job_costs, scalar=176, ne16=96, wide=True)
# By element type of y, table, residual, transposed; of codes + 128.
_JOBS: Mapping[tuple[DType, bool, bool, bool], LinearJob] = {
    (_S8, False, False, False): LinearJob(_CODES, _S8, None),
    # Entries of a table are bytes either way.
    (_S8, True, False, False): LinearJob(_CODES, _S8, EPILOGUES.table),
    (_U8, True, False, False): LinearJob(_CODES, _S8, EPILOGUES.table),
    (_S8, False, False, True): LinearJob(_CODES, _S8, EPILOGUES.transposed),
    (_S16, False, False, False): LinearJob(SUMS, _S32, EPILOGUES.narrow),
    (_S16, False, True, False): LinearJob(SUMS, _S32, EPILOGUES.add),
}


def job_for(attrs: QLinearAttrs) -> LinearJob | None:
    """Return how the accelerator computes linears like this one, None if it does not."""
    if attrs.layout == "heads" and attrs.table:
        return None
    return _JOBS.get((DType(attrs.dtype), attrs.table, attrs.residual, attrs.layout == "transposed"))


def idle_cycles(target: Target, job: LinearJob) -> int:
    """Return what core 0 takes behind a job besides the calls; where there is none, what one would have."""
    return target.calls.turn_cycles + (idle_call_cycles(target) if job.epilogue is None else 0)


def job_of(graph: Graph, op: Op) -> LinearJob | None:
    """Return how the accelerator computes a linear, None if the cores do."""
    if op.kind is not OpKind.QLINEAR or not _is_on_ne16(graph, op):
        return None
    assert isinstance(op.attrs, QLinearAttrs)
    return job_for(op.attrs)


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    """Return the kernel of a linear from its element types and attributes."""
    attrs = op.attrs
    assert isinstance(attrs, QLinearAttrs)
    x, y = graph.types[op.inputs[0]].dtype, graph.types[op.output].dtype
    job = job_of(graph, op)
    if job is not None:
        return job.kernels
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


def _is_on_ne16(graph: Graph, op: Op) -> bool:
    """Tell whether the accelerator computes a linear: it alone takes unsigned rows."""
    return graph.types[op.inputs[0]].dtype is DType.U8


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    assert isinstance(op.attrs, QLinearAttrs)
    channels, depth = graph.types[op.inputs[1]].shape
    # Rows that share a row of bias: all of them, but where there are several such rows.
    group_rows = graph.types[op.inputs[0]].shape[0] // graph.types[op.inputs[3]].shape[0]
    grouped = _is_grouped(graph, op)
    heads = {HEAD_CHANNELS: channels // op.attrs.heads} if op.attrs.layout == "heads" else {}
    pitch = weight_pitch(2 * depth, bias=False) if grouped else weight_pitch(depth)
    return {
        **heads,
        "depth": depth,
        "weight_pitch": packed_pitch(depth) if _is_on_ne16(graph, op) else pitch,
        "shift": op.attrs.shift,
        "group_rows": group_rows,
        "bias_channels": channels,
    }


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    assert isinstance(op.attrs, QLinearAttrs)
    table = {"table": graph.constants[op.inputs[4]]} if op.attrs.table else {}
    if _is_on_ne16(graph, op):
        return {**ne16_tables(graph.constants[op.inputs[2]], graph.constants[op.inputs[3]][0]), **table}
    bias = {"bias": graph.constants[op.inputs[3]]} if _is_grouped(graph, op) else {}
    return {**bias, **table}


def _weight_rows(graph: Graph, op: Op) -> Array:
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    if _is_on_ne16(graph, op):
        return packed_bits(weight)
    if _is_grouped(graph, op):
        return packed_rows(weight.astype("<i2"), multiplier, None)
    return packed_rows(weight, multiplier, bias[0])


def _macs(graph: Graph, op: Op) -> int:
    channels, depth = graph.types[op.inputs[1]].shape
    return graph.types[op.inputs[0]].shape[0] * channels * depth


LINEAR = KernelRecord(
    OpKind.QLINEAR,
    "cores",
    "channels",
    (*_CHOICES.values(), _CODES, SUMS, *EPILOGUES.all),
    _chosen,
    _numbers,
    ("linear", LinearCosts),
    _tables,
    weight_rows=_weight_rows,
    macs=_macs,
)
