"""A linear on NE16, the accelerator: its weights in bits, what it costs, and when its sums fit.

The rows that it reads are codes + 128, and so are the weights that it is given: it takes 128 off those again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tmc.backend_gap9.kernels.operands import (
    CHANNELS,
    ROWS,
    per_channel_table,
    result,
    rows_of,
)
from tmc.backend_gap9.kernels.record import Arguments, Kernel
from tmc.backend_gap9.program.expressions import add, div, mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.types import Array

CHANNELS_READ = 32  # multipliers and biases come so many at a time
INPUTS_READ = 16
RUN_CHANNELS = 8  # results of 4 bytes are stored so many at a time
LINE_ROWS = 3  # rows go in lines of so many; where there is no whole group, what is left of them is one
SQUARE_ROWS = 4  # but so many, two lines of two
MULTIPLIER_MAX = 255
# Of the weights of a channel, in the arguments of a call.
_PACKED_BYTES = mul(div(add(Var("depth"), INPUTS_READ - 1), INPUTS_READ), INPUTS_READ)
_OFFSET = 128
_CODE_MAX = 255


@dataclass(frozen=True, slots=True)
class JobCosts:
    """A group of rows and n channels takes ceil(depth / inputs) * (step_cycles + n) + n / 4 + group_cycles.

    With results of 4 bytes each of the group's rows is stored ceil(n / 8) times, not once. start_cycles: of a
    job, besides its groups. core_share, dma_share: what a job takes longer for each cycle of calls and of
    transfers beside it, which take banks of L1 from it.
    """

    rows: int
    channels: int
    inputs: int
    step_cycles: float
    group_cycles: float
    start_cycles: float
    core_share: float
    dma_share: float

    @property
    def most_macs_per_cycle(self) -> float:
        """Return the multiply-accumulates of a full group of inputs in a cycle of it."""
        return self.rows * self.channels * self.inputs / (self.step_cycles + self.channels)

    def delay_cycles(self, compute_cycles: float, dma_cycles: float) -> float:
        """Return how much longer a job takes beside so many cycles of calls and of transfers."""
        return self.core_share * compute_cycles + self.dma_share * dma_cycles

    def cycles(self, rows: int, channels: int, depth: int, *, wide: bool = False) -> float:
        """Return the cycles of a job among others. wide: its results have 4 bytes."""
        steps = -(-depth // self.inputs)
        sizes = [min(self.channels, channels - first) for first in range(0, channels, self.channels)]
        group = sum(steps * (self.step_cycles + each) + -(-each // 4) + self.group_cycles for each in sizes)
        lines, left = divmod(rows, LINE_ROWS)
        groups = -(-rows // self.rows)
        if rows < self.rows and rows != SQUARE_ROWS:
            groups = (lines > 0) + (left > 0)
        stores = sum(-(-each // RUN_CHANNELS) - 1 for each in sizes) * self.rows
        return groups * (group + stores * wide)


def ne16_kernel(
    stem: str,
    costs: Callable[[Target], JobCosts],
    *,
    scalar: int,
    ne16: int,
    wide: bool = False,
) -> Kernel:
    """Return the kernel from u8 to s8, or, wide, to s32. costs: the job costs of a target."""

    def job_cycles(target: Target, a: Arguments) -> float:
        job = costs(target)
        head = a.get("head_channels", a["channels"])
        heads = a["channels"] // head
        return heads * (job.cycles(a["rows"], head, a["depth"], wide=wide) + job.start_cycles)

    head = Var("head_channels")
    return Kernel(
        stem,
        "tmc_ne16_linear_args",
        (
            rows_of("x", ROWS, Var("depth"), Var("x_pitch")),
            rows_of("weight", CHANNELS, _PACKED_BYTES, _PACKED_BYTES),
            per_channel_table("multiplier", 1),
            per_channel_table("bias", 4),
            result(mul(ROWS, div(CHANNELS, head)), mul(head, 4) if wide else head),
        ),
        ("rows", "depth", "channels", "x_pitch", "y_pitch", "shift", "head_channels"),
        frozenset({"shift"}),
        {"scalar": scalar, "ne16": ne16},
        job_cycles,
    )


def packed_pitch(depth: int) -> int:
    """Return the bytes of a channel's packed weights."""
    return -(-depth // INPUTS_READ) * INPUTS_READ


def packed_bits(weight: Array) -> Array:
    """Return int8 weights [N, K] as bytes [N, packed_pitch(K)]: of 16 inputs bit 0, then bit 1, to bit 7."""
    channels, depth = weight.shape
    codes = np.zeros((channels, packed_pitch(depth)), np.uint8)
    codes[:, :depth] = (weight.astype(np.int16) + _OFFSET).astype(np.uint8)
    groups = codes.reshape(channels, -1, 1, INPUTS_READ)
    bits = groups >> np.arange(8, dtype=np.uint8)[:, None] & 1
    return np.packbits(bits, axis=-1, bitorder="little").reshape(channels, -1)


def ne16_tables(multiplier: Array, bias: Array) -> Mapping[str, Array]:
    """Return multipliers and biases, with room for what is read behind the last channel of any call."""
    more = -len(multiplier) % CHANNELS_READ + CHANNELS_READ
    return {
        "multiplier": np.pad(multiplier.astype(np.uint8), (0, more)),
        "bias": np.pad(bias.astype("<i4"), (0, more)),
    }


def offset_bias(weight: Array, multiplier: Array, bias: Array) -> Array | None:
    """Return the bias [N] with which rows of codes + 128 give what codes give.

    None where a multiplier has no byte, or a sum may leave int32, whatever the rows hold: that with the
    weights, the same times the multiplier, and these with the bias.
    """
    wide = weight.astype(np.int64)
    factor = multiplier.astype(np.int64)
    if factor.min(initial=1) < 1 or factor.max(initial=0) > MULTIPLIER_MAX:
        return None
    moved = bias.astype(np.int64) - _OFFSET * wide.sum(axis=1) * factor
    ends = [_CODE_MAX * np.where(sign * wide > 0, wide, 0).sum(axis=1) * factor for sign in (1, -1)]
    limits = np.iinfo(np.int32)
    found = np.concatenate([moved, *ends, *(end + moved for end in ends)])
    fits = bool(found.min() >= limits.min and found.max() <= limits.max)
    return moved.astype(np.int32) if fits else None
