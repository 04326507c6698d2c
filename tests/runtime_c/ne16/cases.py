"""Linear layers for NE16: their operands as the kernels take them, and what qlinear makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tmc.ir.integer.qlinear import QLinearAttrs, qlinear
from tmc.ir.types import Array

Results = Literal["u8", "s8", "s32"]
UNTOUCHED = 0x5A
GROUP_CHANNELS, GROUP_INPUTS = 32, 16
# How results are stored, in the words of tmc_ne16_job.h.
CONFIGURATION = {
    "u8": "0",
    "s8": "TMC_NE16_OUTPUT_SIGNED",
    "s32": "TMC_NE16_OUTPUT_SIGNED | TMC_NE16_OUTPUT_32_BITS",
}
L1_BYTES = 100_000  # what run_cases.c has


@dataclass(frozen=True, slots=True)
class Case:
    """Sizes of a layer; pitches in bytes beyond what a row takes."""

    rows: int
    depth: int
    channels: int
    results: Results = "u8"
    x_gap: int = 0
    y_gap: int = 0

    @property
    def bytes_at_most(self) -> int:
        """Return what the case takes of L1, with two results."""
        x, y = self.depth + 4 + self.x_gap, self.channels * self.result_bytes + 4 + self.y_gap
        constants = round_up(self.channels, GROUP_CHANNELS) * 5
        return self.rows * x + 2 * (self.rows + 12) * y + constants + self.weight_bytes

    @property
    def weight_bytes(self) -> int:
        return self.channels * round_up(self.depth, GROUP_INPUTS)

    @property
    def result_bytes(self) -> int:
        return 4 if self.results == "s32" else 1

    @property
    def images(self) -> tuple[int, ...]:
        """Return the groups of 9 rows of each job of the layer.

        Whole lines of three rows, and what is left, or the last 9 rows; 4 rows are one group.
        """
        whole, left = divmod(self.rows, 3)
        if self.rows == 4:
            return (1,)
        if left and whole >= 3:
            return whole // 3, 1
        return tuple(groups for groups in (-(-whole // 3), int(left > 0)) if groups)

    @property
    def cycles(self) -> int:
        """Return what the accelerator takes on memory of its own.

        By groups of 9 rows and 32 channels.
        """
        sizes = [min(GROUP_CHANNELS, self.channels - at) for at in range(0, self.channels, GROUP_CHANNELS)]
        steps = -(-self.depth // GROUP_INPUTS)
        cycles = 0
        for channels in sizes:
            store = 9 * (-(-channels // 8) if self.results == "s32" else 1)
            cycles += steps * (31 + channels) + -(-channels // 4) + 4 + store
        return sum(self.images) * cycles


def round_up(value: int, step: int) -> int:
    """Return the next multiple."""
    return -(-value // step) * step


def packed_weights(weight: Array) -> Array:
    """Return weights [N, K] of int8 as NE16 reads them: [N, K / 16, bit, 2 bytes]."""
    channels, depth = weight.shape
    codes = np.zeros((channels, round_up(depth, GROUP_INPUTS)), np.uint8)
    codes[:, :depth] = (weight.astype(np.int16) + 128).astype(np.uint8)
    groups = codes.reshape(channels, -1, 1, GROUP_INPUTS)
    bits = groups >> np.arange(8, dtype=np.uint8)[:, None] & 1
    return np.packbits(bits, axis=-1, bitorder="little")


@dataclass(frozen=True, slots=True)
class Operands:
    """What the kernel is given, and the bytes of its result with those between rows and behind them."""

    case: Case
    shift: int
    x: Array
    weight: Array
    multiplier: Array
    bias: Array
    y: Array


def operands(case: Case, seed: int) -> Operands:
    """Return a layer of random codes whose results spread over their range, some saturated."""
    generator = np.random.default_rng(seed)
    x = generator.integers(-128, 128, (case.rows, case.depth)).astype(np.int8)
    weight = generator.integers(-128, 128, (case.channels, case.depth)).astype(np.int8)
    multiplier = generator.integers(1, 256 if case.depth <= 192 else 86, case.channels).astype(np.int32)
    largest = int(multiplier.max())
    shift = 8 if case.results == "s32" else int(np.log2(case.depth) / 2 + np.log2(largest) + 5.5)
    bias = generator.integers(-(2**19), 2**19, (1, case.channels)).astype(np.int32)
    dtype: Literal["s8", "s32"] = "s32" if case.results == "s32" else "s8"
    y = qlinear(x, weight, multiplier, bias, QLinearAttrs(shift=shift, dtype=dtype))
    # Inputs are codes + 128: sum (x + 128) w m + b' = sum x w m + b.
    folded = bias[0] - 128 * weight.sum(axis=1, dtype=np.int64) * multiplier
    if case.results == "u8":
        y = (y.astype(np.int16) + 128).astype(np.uint8)
        folded += 128 << shift
    assert np.abs(folded).max() < 2**31
    return Operands(
        case,
        shift,
        with_gap((x.astype(np.int16) + 128).astype(np.uint8), case.depth, case.x_gap, 0),
        packed_weights(weight).reshape(-1),
        filled(multiplier.astype(np.uint8)),
        filled(folded.astype(np.int32)),
        with_gap(y.view(np.uint8), y[0].nbytes, case.y_gap, UNTOUCHED),
    )


def with_gap(rows: Array, row_bytes: int, gap_bytes: int, fill: int) -> Array:
    """Return rows of bytes at their pitch, a multiple of 4."""
    pitch = round_up(row_bytes, 4) + gap_bytes
    spread = np.full((len(rows), pitch), fill, np.uint8)
    spread[:, :row_bytes] = rows.reshape(len(rows), row_bytes)
    return spread


def filled(values: Array) -> Array:
    """Return values per channel, up to a multiple of 32 of them."""
    return np.pad(values, (0, -len(values) % GROUP_CHANNELS), constant_values=77)


def random_cases(count: int, seed: int) -> list[Case]:
    """Return cases of any size that fits L1 beside the program's own data, mostly ragged."""
    generator = np.random.default_rng(seed)
    found: list[Case] = []
    while len(found) < count:
        rows, depth, channels = (int(2 ** generator.uniform(0, bits)) for bits in (7, 9, 8))
        results: Results = ("u8", "s8", "s32")[int(generator.integers(3))]
        x_gap, y_gap = (4 * int(gap) for gap in generator.integers(0, 4, 2))
        case = Case(rows, depth, channels, results, x_gap, y_gap)
        if case.bytes_at_most < L1_BYTES:
            found.append(case)
    return found


def _array(name: str, values: Array) -> str:
    data = values.reshape(-1).view(np.uint8)
    text = ",".join(map(str, data))
    return f"static const uint8_t {name}[] __attribute__((aligned(4))) = {{{text}}};\n"


def source(layers: Iterable[Operands]) -> str:
    """Return cases.c."""
    arrays, rows = [], []
    for number, each in enumerate(layers):
        case = each.case
        names = {name: f"{name}{number}" for name in ("x", "weight", "multiplier", "bias", "y")}
        arrays += [_array(names[name], getattr(each, name)) for name in names]
        x, weight, multiplier, bias, y = names.values()
        rows.append(
            f"{{{{{x}, {weight}, {multiplier}, "
            f"(const int32_t *)(const void *){bias}, (uint8_t *){y}, {each.x.shape[1]}, {each.y.shape[1]}, "
            f"{case.rows}, {case.depth}, {case.channels}, {each.shift}, {CONFIGURATION[case.results]}}}, "
            f"sizeof {x}, sizeof {weight}, sizeof {y}}},"
        )
    count = f"const uint32_t case_count = {len(rows)};"
    table = "\n".join(("const ne16_case cases[] = {", *rows, "};", count, ""))
    return '#include "cases.h"\n' + "".join(arrays) + table
