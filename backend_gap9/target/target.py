"""What a compile has to know about a chip: memories, transfers and the cost of kernels.

Cycles are cycles of the cluster clock everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Memory:
    """One level. reserved_bytes is what the plan may not use: code, stacks, the run time's own data."""

    size_bytes: int
    reserved_bytes: int

    @property
    def usable_bytes(self) -> int:
        """Return what the plan may use."""
        return self.size_bytes - self.reserved_bytes


@dataclass(frozen=True, slots=True)
class ClusterMemory:
    """L1: the plan shares it with the stacks of the cores and with the run time's own data."""

    size_bytes: int
    runtime_bytes: int


@dataclass(frozen=True, slots=True)
class Stacks:
    """Stacks in L1: worker_bytes for each core that works, controller_bytes for the one that starts them.

    Generated code and kernels run on the former: no compile or build lets them need more.
    """

    worker_bytes: int
    controller_bytes: int


@dataclass(frozen=True, slots=True)
class Dma:
    """Transfers between L2 and L1 of at most max_bytes each; queue_entries may be in flight.

    line_cycles come on top for every line after the first of a two-dimensional transfer.
    """

    bytes_per_cycle: float
    startup_cycles: int
    line_cycles: int
    max_bytes: int
    queue_entries: int


@dataclass(frozen=True, slots=True)
class L3Channel:
    """Transfers between L3 and L2, one at a time, of blocks that begin at multiples of alignment_bytes."""

    bytes_per_cycle: float
    startup_cycles: int
    alignment_bytes: int


@dataclass(frozen=True, slots=True)
class BlockCost:
    """A matrix product keeps rows x channels sums in registers.

    One block takes ceil(depth / 4) * step_cycles + block_cycles on one core: a step takes 4 bytes of each row
    of depth, then come requantisation and stores.
    """

    rows: int
    channels: int
    step_cycles: float
    block_cycles: float


@dataclass(frozen=True, slots=True)
class KernelCosts:
    """Cycles of one core, with all others at work: bank conflicts and shared caches are in the figures.

    linear: int8 in, int8 or int16 out; linear_transposed: stored by channels; linear_row: rows of both that
    fill no block; linear_grouped: int16 in, int16 out, up to grouped_depth, with grouped_run_cycles for every
    run of rows that share a bias and each block's channels; linear_single and linear_single_wide: int32 out,
    of int8 and of int16. table_cycles and residual_cycles come on top of a linear's, per output. Attention:
    scores have the depth head width, values the depth keys; softmax_cycles is per score, attention_row_cycles
    per query row. layernorm, requantise, clip_add, rope and mean_rows are per element of their input,
    clip_byte per byte of it, mean_output per element of a mean. depthwise_tap is per tap of an output,
    depthwise_output per output, interpolate per element of the result, permute_word per 4 bytes; their others
    are per row. call_cycles come once for every call of any kernel.
    """

    linear: BlockCost
    linear_transposed: BlockCost
    linear_row: BlockCost
    linear_grouped: BlockCost
    grouped_run_cycles: float
    grouped_depth: int
    linear_single: BlockCost
    linear_single_wide: BlockCost
    table_cycles: float
    residual_cycles: float
    scores: BlockCost
    values: BlockCost
    softmax_cycles: float
    attention_row_cycles: float
    layernorm_cycles: float
    requantise_cycles: float
    clip_byte_cycles: float
    clip_add_cycles: float
    rope_cycles: float
    mean_rows_cycles: float
    mean_output_cycles: float
    depthwise_tap_cycles: float
    depthwise_output_cycles: float
    interpolate_cycles: float
    interpolate_row_cycles: float
    permute_word_cycles: float
    permute_row_cycles: float
    call_cycles: int
    barrier_cycles: int


@dataclass(frozen=True, slots=True)
class Target:
    """A chip, or a way to use it. `cores` work; one more starts transfers and waits for them."""

    name: str
    description: str
    cores: int
    cluster_hz: int
    l1: ClusterMemory
    l2: Memory
    l3: Memory
    stacks: Stacks
    dma: Dma
    l3_channel: L3Channel
    costs: KernelCosts

    @property
    def l1_usable_bytes(self) -> int:
        """Return what the plan may use of L1: all but the stacks and the run time's own data."""
        stacks_bytes = self.cores * self.stacks.worker_bytes + self.stacks.controller_bytes
        return self.l1.size_bytes - stacks_bytes - self.l1.runtime_bytes
