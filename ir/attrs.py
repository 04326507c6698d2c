"""Attribute records: one frozen dataclass per kind of op that needs more than its operands.

Field values are int, float, bool, str or tuples of these, so that the text form prints and parses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layout = Literal["rows", "heads", "transposed"]


@dataclass(frozen=True, slots=True)
class Attrs:
    """No attributes; base of all records."""


@dataclass(frozen=True, slots=True)
class ReshapeAttrs(Attrs):
    """Target shape, elements; no -1 and no 0 left."""

    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransposeAttrs(Attrs):
    """Output axis i is input axis permutation[i]."""

    permutation: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SliceAttrs(Attrs):
    """Per axis of the input: first index, end (exclusive) and step, step >= 1."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConcatAttrs(Attrs):
    """Axis, counted from 0."""

    axis: int


@dataclass(frozen=True, slots=True)
class GatherAttrs(Attrs):
    """Constant indices along one axis, as numpy's take: output shape replaces the axis by `shape`."""

    axis: int
    indices: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExpandAttrs(Attrs):
    """Broadcast to this shape."""

    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AxisAttrs(Attrs):
    """One axis, counted from 0 (softmax, argmax)."""

    axis: int


@dataclass(frozen=True, slots=True)
class ReduceAttrs(Attrs):
    """Axes counted from 0, sorted; keepdims keeps them as 1."""

    axes: tuple[int, ...]
    keepdims: bool


@dataclass(frozen=True, slots=True)
class ConvAttrs(Attrs):
    """2-D convolution, NCHW, no dilation: strides (y, x), pads (top, left, bottom, right), groups."""

    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    groups: int


@dataclass(frozen=True, slots=True)
class LayerNormAttrs(Attrs):
    """Normalise over the last axis: deviations from the mean, or from zero as in RMSNorm."""

    epsilon: float
    about: Literal["zero"] | None = None


@dataclass(frozen=True, slots=True)
class GeluAttrs(Attrs):
    """Exact (erf) GELU, or its tanh approximation."""

    approximate: Literal["none", "tanh"]


@dataclass(frozen=True, slots=True)
class AttentionAttrs(Attrs):
    """softmax(scale * q k^T + bias) v for each head; heads are adjacent column blocks.

    With mask_factor and mask_offset, the bias of key j, for all heads and queries, is mask_factor m[j] +
    mask_offset, of a computed row m [1, N].
    """

    heads: int
    scale: float
    mask_factor: float | None = None
    mask_offset: float | None = None


@dataclass(frozen=True, slots=True)
class RopeAttrs(Attrs):
    """Rotate adjacent column pairs; row r takes line r % P of the tables [P, head_dim / 2]."""

    heads: int


@dataclass(frozen=True, slots=True)
class MeanRowsAttrs(Attrs):
    """Average each run of group_rows rows: [M, C] -> [M / group_rows, C]."""

    group_rows: int


@dataclass(frozen=True, slots=True)
class MaxRowsAttrs(Attrs):
    """The largest of each run of group_rows rows, column by column: [M, C] -> [M / group_rows, C]."""

    group_rows: int


@dataclass(frozen=True, slots=True)
class MatmulRowsAttrs(Attrs):
    """Row i of x [G M, K] with every row of the same group of z [G N, K]: [G M, N], G = groups."""

    groups: int


@dataclass(frozen=True, slots=True)
class InterpolateRowsAttrs(Attrs):
    """Stretch [M, C] to `rows` rows: linear between row centres; the end rows are held beyond them."""

    rows: int


@dataclass(frozen=True, slots=True)
class PermuteRowsAttrs(Attrs):
    """Interleave `groups` equal runs of P rows: row c * P + p becomes row p * groups + c."""

    groups: int


@dataclass(frozen=True, slots=True)
class ConvertAttrs(Attrs):
    """Store the operand's numbers once more, as int8 with a zero point, or as int16."""

    form: Literal["int8", "int16"]


@dataclass(frozen=True, slots=True)
class FakeQuantiseAttrs(Attrs):
    """scale * (clip(round_half_even(x / scale) + zero_point, low, high) - zero_point), in float32.

    Codes are int8 or, where an end needs it, int16; a model's unsigned codes of n bits are theirs plus
    2^(n - 1).
    """

    scale: float
    zero_point: int
    low: int = -128
    high: int = 127

    @property
    def limits(self) -> tuple[float, float]:
        """Return the least and the largest number that codes stand for."""
        return (self.low - self.zero_point) * self.scale, (self.high - self.zero_point) * self.scale

    @property
    def wide(self) -> bool:
        """Tell whether codes or zero point need int16."""
        return min(self.low, self.zero_point) < -128 or max(self.high, self.zero_point) > 127


@dataclass(frozen=True, slots=True)
class RequantShiftAttrs(Attrs):
    """clip(floor((x * mul + add + div / 2) / div), low, high) on integers that a float value holds.

    div is 2^shift. Exact while x is exact in float32 and the result below 2^24.
    """

    shift: int
    low: int
    high: int
