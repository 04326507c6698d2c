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
    """Normalise over the last axis."""

    epsilon: float


@dataclass(frozen=True, slots=True)
class GeluAttrs(Attrs):
    """Exact (erf) GELU, or its tanh approximation."""

    approximate: Literal["none", "tanh"]


@dataclass(frozen=True, slots=True)
class AttentionAttrs(Attrs):
    """softmax(scale * q k^T) v for each head; heads are adjacent column blocks."""

    heads: int
    scale: float


@dataclass(frozen=True, slots=True)
class RopeAttrs(Attrs):
    """Rotate adjacent column pairs; row r takes line r % P of the tables [P, head_dim / 2]."""

    heads: int


@dataclass(frozen=True, slots=True)
class MeanRowsAttrs(Attrs):
    """Average each run of group_rows rows: [M, C] -> [M / group_rows, C]."""

    group_rows: int


@dataclass(frozen=True, slots=True)
class InterpolateRowsAttrs(Attrs):
    """Stretch [M, C] to `rows` rows: linear between row centres; the end rows are held beyond them."""

    rows: int


@dataclass(frozen=True, slots=True)
class PermuteRowsAttrs(Attrs):
    """Interleave `groups` equal runs of P rows: row c * P + p becomes row p * groups + c."""

    groups: int


@dataclass(frozen=True, slots=True)
class FakeQuantiseAttrs(Attrs):
    """scale * (clip(round_half_even(x / scale) + zero_point, low, high) - zero_point), in float32.

    Codes are int8, -128 <= low <= high <= 127; a model's uint8 codes are theirs plus 128.
    """

    scale: float
    zero_point: int
    low: int = -128
    high: int = 127

    @property
    def limits(self) -> tuple[float, float]:
        """Return the least and the largest number that codes stand for."""
        return (self.low - self.zero_point) * self.scale, (self.high - self.zero_point) * self.scale


@dataclass(frozen=True, slots=True)
class RequantShiftAttrs(Attrs):
    """clip(floor((x * mul + add + div / 2) / div), low, high) on integers that a float value holds.

    div is 2^shift. Exact while x is exact in float32 and the result below 2^24.
    """

    shift: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class QLinearAttrs(Attrs):
    """Requantising matrix product; see docs/numerics.md for the formula.

    layout says how the result [M, N] is stored: "rows" [M, N]; "heads" [heads, M, N / heads], the form in
    which attention reads Q and K; "transposed" [N, M], the form in which it reads V. dtype is the element
    type of the result.
    """

    shift: int
    dtype: Literal["s8", "s16", "s32"] = "s8"
    layout: Layout = "rows"
    heads: int = 1
    table: bool = False
    residual: bool = False


@dataclass(frozen=True, slots=True)
class QRequantiseAttrs(Attrs):
    """table[C8(round((x * multiplier + addend) / 2^shift) + zero_point) + 128]; see docs/numerics.md.

    Ties are rounded to even, or up.
    """

    zero_point: int = 0
    ties: Literal["even", "up"] = "even"


@dataclass(frozen=True, slots=True)
class QClipAttrs(Attrs):
    """clip(x, low, high), or C16(residual + clip(x, low, high)); a line of limits for each run of rows."""

    residual: bool = False


@dataclass(frozen=True, slots=True)
class QAddAttrs(Attrs):
    """C8((x * x_multiplier + z * z_multiplier + bias) >> shift): a sum of values of two scales.

    bias holds the zero points of both and of the result, and half a step for rounding.
    """

    x_multiplier: int
    z_multiplier: int
    bias: int
    shift: int


@dataclass(frozen=True, slots=True)
class QLayerNormAttrs(Attrs):
    """Integer LayerNorm of int16 rows; see docs/numerics.md for the formula.

    epsilon_by_shift[h] is round(eps * C^3 / scale^2 / 4^h); center_bits is B, norm_bits is N, root is K,
    gamma_shift is G. dtype is the element type of the result.
    """

    epsilon_by_shift: tuple[int, ...]
    center_bits: int
    norm_bits: int
    root: int
    gamma_shift: int
    dtype: Literal["s8", "s16"] = "s8"


@dataclass(frozen=True, slots=True)
class QRopeAttrs(Attrs):
    """Rotate int16 pairs by a table of 2^14 cosines and sines, round by `shift`, saturate to int8."""

    heads: int
    shift: int


@dataclass(frozen=True, slots=True)
class QAttentionAttrs(Attrs):
    """Integer attention; per head: scores are rounded by score_shift[h] before they index the exp table.

    s_v / s_o is out_multiplier / 2^out_shift, out_multiplier below 2^15. normalised: the weights of the
    softmax are divided by their sum before they meet V, for comparison; no kernel does that.
    """

    heads: int
    score_shift: tuple[int, ...]
    out_multiplier: int
    out_shift: int
    normalised: bool = False


@dataclass(frozen=True, slots=True)
class QMeanRowsAttrs(Attrs):
    """clip16((sum * multiplier + bias) >> shift) over each run of group_rows rows."""

    group_rows: int
    multiplier: int
    bias: int
    shift: int


@dataclass(frozen=True, slots=True)
class QDepthwiseRowsAttrs(Attrs):
    """Requantising depthwise convolution over rows; rows beyond the ends hold zero_point, the code of 0."""

    shift: int
    zero_point: int
    table: bool = False


@dataclass(frozen=True, slots=True)
class QInterpolateRowsAttrs(Attrs):
    """Linear interpolation over rows; the result is stored as [rows, C], or transposed as [C, rows]."""

    rows: int
    layout: Literal["rows", "transposed"] = "rows"
