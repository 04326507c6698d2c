"""What a kernel must be given to compute the part of its op that it writes, and how constants become bytes.

The part that is written fixes everything else: which rows and columns of the inputs, which constants, which
numbers. Nothing in this folder comes from the schedule, the packing of constants or the kernel records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tmc.ir.types import Array

Bytes = NDArray[np.uint8]
WORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class ConstantLines:
    """The bytes that some lines of a constant operand must hold: line lines[i] begins with data[i]."""

    lines: NDArray[np.int64]
    data: Bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a kernel must be given, by field: values from which row and column (bytes) on, constants, numbers.

    A value without a name is one that the graph does not know: it lives within one stage, and serves one op.
    roles: for what, by field, where that is not the field's name.
    """

    values: Mapping[str, tuple[str | None, int, int]]
    constants: Mapping[str, ConstantLines]
    numbers: Mapping[str, int]
    roles: Mapping[str, str] = field(default_factory=dict)


def row_bytes(rows: Array) -> Bytes:
    """Return rows as bytes, in target byte order."""
    little = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(rows.shape[0], -1)


def all_lines(rows: Array) -> ConstantLines:
    """Return that a constant is these rows."""
    return ConstantLines(np.arange(rows.shape[0]), row_bytes(rows))


def one_line(array: Array) -> ConstantLines:
    """Return that a constant is one run of these numbers."""
    return all_lines(array.reshape(1, -1))


def weight_lines(weight: Array, multiplier: Array, bias: Array) -> ConstantLines:
    """Return that rows of weights [N, K] lie padded to words, each before its multiplier and its bias."""
    of_weights = row_bytes(weight)
    padded = np.pad(of_weights, ((0, 0), (0, -of_weights.shape[1] % WORD_BYTES)))
    words = np.stack([multiplier, bias], axis=1).astype(np.int32)
    data = np.concatenate([padded, row_bytes(words)], axis=1)
    return ConstantLines(np.arange(weight.shape[0]), data)


def bit_lines(weight: Array) -> ConstantLines:
    """Return that weights [N, K] of int8 lie as the accelerator reads them.

    Of each 16 inputs, of their weights + 128: bit 0 in 16 bits, the first one lowest; then bit 1, to bit 7.
    """
    channels, depth = weight.shape
    codes = np.full((channels, (depth + 15) // 16, 2, 8), 0, np.int64)
    codes.reshape(channels, -1)[:, :depth] = weight.astype(np.int64) + 128
    place = 1 << np.arange(8)
    bits = [((codes >> bit & 1) * place).sum(axis=3) for bit in range(8)]
    data = np.stack(bits, axis=2).astype(np.uint8)
    return ConstantLines(np.arange(channels), data.reshape(channels, -1))


def whole_elements(column_bytes: int, size_bytes: int) -> int:
    """Return the element of a row that a write begins with.

    Raises: ValueError where it begins within one.
    """
    element, rest = divmod(column_bytes, size_bytes)
    if rest:
        raise ValueError(f"found a write from byte {column_bytes} on, allowed whole elements")
    return element


def within(first: int, count: int, size: int, what: str) -> tuple[int, int]:
    """Return the part of size `size` that first .. first + count - 1 lie in, and the first one within it.

    Raises: ValueError where they lie in several.
    """
    index, start = divmod(first, size)
    if start + count > size:
        raise ValueError(f"found {what} {first} to {first + count - 1}, allowed those of one head of {size}")
    return index, start
