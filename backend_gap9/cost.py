"""The cost model: cycles of kernels, transfers and fetches, from the constants of the target.

Kernels are modelled as all cores at work, each on a contiguous chunk of ceil(n / cores) rows (or channels,
where the kernel splits those); the call lasts as long as the largest chunk. A matrix product works in blocks
that keep their sums in registers; a block at the edge costs what its own loads and products take. Every
figure is monotone: more rows, channels, depth or bytes never cost less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from tmc.ir.target import BlockCost, Target


@dataclass(frozen=True, slots=True)
class LinearForm:
    """What the cost of a linear kernel depends on, besides its sizes."""

    x_bytes: int = 1
    table: bool = False
    residual: bool = False
    splits_channels: bool = False
    transposed: bool = False


LINEAR_FORMS: Mapping[str, LinearForm] = {
    "tmc_linear_s8s8s8": LinearForm(),
    "tmc_linear_table_s8s8s8": LinearForm(table=True),
    "tmc_linear_s8s8s16": LinearForm(),
    "tmc_linear_add_s8s8s16": LinearForm(residual=True),
    "tmc_linear_s8s8s32": LinearForm(),
    "tmc_linear_transposed_s8s8s8": LinearForm(splits_channels=True, transposed=True),
    "tmc_linear_grouped_s16s8s16": LinearForm(x_bytes=2),
    "tmc_linear_s16s8s32": LinearForm(x_bytes=2, splits_channels=True),
}


def linear_cycles(target: Target, kernel: str, rows: int, channels: int, depth: int) -> int:
    """Return the cycles of one call of a linear kernel with its barrier."""
    form, costs = LINEAR_FORMS[kernel], target.costs
    if form.splits_channels:
        channels = _chunk(target, channels)
    else:
        rows = _chunk(target, rows)
    block = costs.linear_transposed if form.transposed else costs.linear
    cycles = _product_cycles(block, rows, channels, depth * form.x_bytes, block.block_cycles)
    cycles += rows * channels * (costs.table_cycles * form.table + costs.residual_cycles * form.residual)
    return _call(target, cycles)


def layernorm_cycles(target: Target, rows: int, channels: int) -> int:
    """Return the cycles of a LayerNorm with its barrier."""
    return _call(target, _chunk(target, rows) * channels * target.costs.layernorm_cycles)


def rope_cycles(target: Target, rows: int, width: int) -> int:
    """Return the cycles of a rotation of one head with its barrier."""
    return _call(target, _chunk(target, rows) * width * target.costs.rope_cycles)


def mean_rows_cycles(target: Target, rows: int, channels: int) -> int:
    """Return the cycles of a mean over one group of rows with its barrier; it splits channels."""
    return _call(target, rows * _chunk(target, channels) * target.costs.mean_rows_cycles)


def scores_cycles(target: Target, rows: int, keys: int, width: int) -> int:
    """Return the cycles of the scores of a tile of query rows and a tile of keys, with the barrier."""
    costs = target.costs
    return _call(
        target, _product_cycles(costs.linear, _chunk(target, rows), keys, width, costs.score_block_cycles)
    )


def softmax_cycles(target: Target, rows: int, keys: int) -> int:
    """Return the cycles of the softmax of a tile of query rows over all keys, with the barrier."""
    costs = target.costs
    return _call(target, _chunk(target, rows) * (keys * costs.softmax_cycles + costs.attention_row_cycles))


def values_cycles(target: Target, rows: int, keys: int, channels: int) -> int:
    """Return the cycles of the weighted mean of a tile of channels of V, with the barrier."""
    block = target.costs.linear
    return _call(target, _product_cycles(block, _chunk(target, rows), channels, keys, block.block_cycles))


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


def _product_cycles(
    block: BlockCost, rows: int, channels: int, depth_bytes: int, block_cycles: float
) -> float:
    """Return the cycles of one core for rows x channels sums over depth_bytes of each row.

    A step of a block of r x c loads r + c words and makes r * c products of 4 bytes each.
    """
    steps = -(-depth_bytes // 4)

    def blocks(r: int, c: int) -> float:
        share = (r * c + r + c) / (block.rows * block.channels + block.rows + block.channels)
        return steps * block.step_cycles * share + block_cycles * r * c / (block.rows * block.channels)

    full_rows, edge_rows = divmod(rows, block.rows)
    full_channels, edge_channels = divmod(channels, block.channels)
    cycles = full_rows * full_channels * blocks(block.rows, block.channels)
    if edge_rows:
        cycles += full_channels * blocks(edge_rows, block.channels)
    if edge_channels:
        cycles += full_rows * blocks(block.rows, edge_channels)
    if edge_rows and edge_channels:
        cycles += blocks(edge_rows, edge_channels)
    return cycles
