"""The cost model: cycles of kernels, transfers and fetches, from the constants of the target.

Kernels are modelled as all cores at work, each on a contiguous chunk of ceil(n / cores) rows (or channels,
where the kernel splits those); the call lasts as long as the largest chunk. A matrix product works in blocks
that keep their sums in registers. A block at the edge costs as much as any other: the kernels compute again
what it has too much. Where they may not, and where there are fewer rows than a block has, the linears of int8
take row by row, and one such row costs more than a block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Literal

from tmc.backend_gap9.target.target import BlockCost, KernelCosts, Target

Shape = Literal["rows", "transposed", "grouped", "single", "single_wide"]


@dataclass(frozen=True, slots=True)
class LinearForm:
    """What the cost of a linear kernel depends on, besides its sizes."""

    shape: Shape = "rows"
    table: bool = False
    residual: bool = False

    @property
    def x_bytes(self) -> int:
        """Return the bytes of an element of the input."""
        return 2 if self.shape in ("grouped", "single_wide") else 1

    @property
    def splits_channels(self) -> bool:
        """Tell whether each core takes a part of the channels."""
        return self.shape in ("transposed", "single", "single_wide")

    def rows_left(self, rows: int, block: BlockCost) -> int:
        """Return how many of a core's rows are computed one by one."""
        if self.shape not in ("rows", "transposed"):
            return 0
        # Sums in place are computed once only, and columns of a transposed result have no neighbour's.
        once = self.residual or self.shape == "transposed"
        return rows % block.rows if once or rows < block.rows else 0


LINEAR_FORMS: Mapping[str, LinearForm] = {
    "tmc_linear_s8s8s8": LinearForm(),
    "tmc_linear_table_s8s8s8": LinearForm(table=True),
    "tmc_linear_s8s8s16": LinearForm(),
    "tmc_linear_add_s8s8s16": LinearForm(residual=True),
    "tmc_linear_s8s8s32": LinearForm("single"),
    "tmc_linear_transposed_s8s8s8": LinearForm("transposed"),
    "tmc_linear_table_transposed_s8s8s8": LinearForm("transposed", table=True),
    "tmc_linear_grouped_s16s8s16": LinearForm("grouped"),
    "tmc_linear_s16s8s32": LinearForm("single_wide"),
}


def linear_cycles(
    target: Target, kernel: str, rows: int, channels: int, depth: int, group_rows: int = 0
) -> int:
    """Return the cycles of one call of a linear kernel with its barrier.

    group_rows: how many rows share a bias, from the first one on, 0 for all; matters to the grouped one.
    """
    form, costs = LINEAR_FORMS[kernel], target.costs
    if form.shape == "grouped":
        return _call(target, _grouped_cycles(target, rows, channels, depth, group_rows or rows))
    if form.splits_channels:
        channels = _chunk(target, channels)
    else:
        rows = _chunk(target, rows)
    block, depth_bytes = _block(costs, form.shape), depth * form.x_bytes
    left = form.rows_left(rows, block)
    cycles = _product_cycles(block, rows - left, channels, depth_bytes)
    cycles += _product_cycles(costs.linear_row, left, channels, depth_bytes)
    cycles += rows * channels * (costs.table_cycles * form.table + costs.residual_cycles * form.residual)
    return _call(target, cycles)


def layernorm_cycles(target: Target, rows: int, channels: int) -> int:
    """Return the cycles of a LayerNorm with its barrier."""
    return _call(target, _chunk(target, rows) * channels * target.costs.layernorm_cycles)


def requantise_cycles(target: Target, rows: int, channels: int) -> int:
    """Return the cycles of a requantisation with its barrier."""
    return _call(target, _chunk(target, rows) * channels * target.costs.requantise_cycles)


def clip_cycles(target: Target, rows: int, channels: int, element_bytes: int, residual: bool = False) -> int:
    """Return the cycles of a clip, or of one that is added to a residual, with its barrier."""
    each = target.costs.clip_add_cycles if residual else target.costs.clip_byte_cycles * element_bytes
    return _call(target, _chunk(target, rows) * channels * each)


def rope_cycles(target: Target, rows: int, width: int) -> int:
    """Return the cycles of a rotation of one head with its barrier."""
    return _call(target, _chunk(target, rows) * width * target.costs.rope_cycles)


def mean_rows_cycles(target: Target, rows: int, channels: int) -> int:
    """Return the cycles of a mean over one group of rows with its barrier; it splits channels."""
    costs = target.costs
    return _call(
        target, _chunk(target, channels) * (rows * costs.mean_rows_cycles + costs.mean_output_cycles)
    )


def depthwise_rows_cycles(target: Target, rows: int, channels: int, taps: int, table: bool) -> int:
    """Return the cycles of a convolution of whole columns with its barrier; it splits channels."""
    costs = target.costs
    output = taps * costs.depthwise_tap_cycles + costs.depthwise_output_cycles + costs.table_cycles * table
    return _call(target, _chunk(target, channels) * rows * output)


def interpolate_rows_cycles(target: Target, rows: int, channels: int) -> int:
    """Return the cycles of an interpolation to `rows` rows with its barrier."""
    costs = target.costs
    row = channels * costs.interpolate_cycles + costs.interpolate_row_cycles
    return _call(target, _chunk(target, rows) * row)


def permute_rows_cycles(target: Target, rows: int, row_bytes: int) -> int:
    """Return the cycles of a permutation of rows with its barrier."""
    costs = target.costs
    row = -(-row_bytes // 4) * costs.permute_word_cycles + costs.permute_row_cycles
    return _call(target, _chunk(target, rows) * row)


def scores_cycles(target: Target, rows: int, keys: int, width: int) -> int:
    """Return the cycles of the scores of a tile of query rows and a tile of keys, with the barrier."""
    return _call(target, _product_cycles(target.costs.scores, _chunk(target, rows), keys, width))


def softmax_cycles(target: Target, rows: int, keys: int) -> int:
    """Return the cycles of the softmax of a tile of query rows over all keys, with the barrier."""
    costs = target.costs
    return _call(target, _chunk(target, rows) * (keys * costs.softmax_cycles + costs.attention_row_cycles))


def values_cycles(target: Target, rows: int, keys: int, channels: int) -> int:
    """Return the cycles of the weighted mean of a tile of channels of V, with the barrier."""
    return _call(target, _product_cycles(target.costs.values, _chunk(target, rows), channels, keys))


def dma_cycles(target: Target, size_bytes: int, lines: int = 1) -> int:
    """Return the cycles of one transfer between L2 and L1, with its start-up."""
    dma = target.dma
    return dma.startup_cycles + (lines - 1) * dma.line_cycles + ceil(size_bytes / dma.bytes_per_cycle)


def fetch_cycles(target: Target, size_bytes: int) -> int:
    """Return the cycles of one transfer from L3 to L2, with its start-up."""
    channel = target.l3_channel
    return channel.startup_cycles + ceil(size_bytes / channel.bytes_per_cycle)


def _chunk(target: Target, count: int) -> int:
    return -(-count // target.cores)


def _call(target: Target, cycles: float) -> int:
    return ceil(cycles) + target.costs.call_cycles + target.costs.barrier_cycles


def _block(costs: KernelCosts, shape: Shape) -> BlockCost:
    match shape:
        case "rows":
            return costs.linear
        case "transposed":
            return costs.linear_transposed
        case "grouped":
            return costs.linear_grouped
        case "single":
            return costs.linear_single
        case "single_wide":
            return costs.linear_single_wide


def _grouped_cycles(target: Target, rows: int, channels: int, depth: int, group_rows: int) -> float:
    """Return the cycles of the core that takes longest; a core's rows are cut where a group ends."""
    costs, chunk, block = target.costs, _chunk(target, rows), target.costs.linear_grouped

    def run(count: int) -> float:
        if count < block.rows or depth > costs.grouped_depth:
            return _product_cycles(costs.linear_single_wide, count, channels, 2 * depth)
        setup = -(-channels // block.channels) * costs.grouped_run_cycles
        return setup + _product_cycles(block, count, channels, 2 * depth)

    longest = 0.0
    for begin in range(0, rows, chunk):
        end = min(begin + chunk, rows)
        cuts = [begin, *range((begin // group_rows + 1) * group_rows, end, group_rows), end]
        longest = max(longest, sum(run(last - first) for first, last in pairwise(cuts)))
    return longest


def _product_cycles(block: BlockCost, rows: int, channels: int, depth_bytes: int) -> float:
    """Return the cycles of one core for rows x channels sums over depth_bytes of each row."""
    blocks = -(-rows // block.rows) * -(-channels // block.channels)
    return blocks * (-(-depth_bytes // 4) * block.step_cycles + block.block_cycles)
