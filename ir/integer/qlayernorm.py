"""Integer LayerNorm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import Int, bit_length, int32, round_shift, saturated, uint32, unsigned
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, need, operand_shape, shift_fits
from tmc.ir.types import Array, DType, TensorType

# C x - sum x of int16 x and what rounds it, at most 2^23, fit int32.
MAX_CHANNELS = 2**15 - 2**8
RSQRT_ENTRIES = 96
RSQRT_TABLE: Int = np.array(
    [round(2**30 / (((i + 32.5) * 2**24) ** 0.5)) for i in range(RSQRT_ENTRIES)], dtype=np.int64
)


@dataclass(frozen=True, slots=True)
class QLayerNormAttrs(Attrs):
    """Integer LayerNorm of int16 rows; see docs/numerics.md for the formula.

    epsilon_by_shift[h] is round(eps * C^3 / scale^2 / 4^(h + g)), with C instead of C^3 if not centred; g is
    epsilon_shift - h, at least 0. center_bits is B, norm_bits is N, root is K, gamma_shift is G. dtype is the
    element type of the result: u8 is int8 codes + 128. Not centred, deviations are from zero, as in RMSNorm.
    """

    epsilon_by_shift: tuple[int, ...]
    center_bits: int
    norm_bits: int
    root: int
    gamma_shift: int
    dtype: Literal["s8", "u8", "s16"] = "s8"
    centred: bool = True
    epsilon_shift: int = 0

    def dropped_bits(self, shift: int) -> int:
        """Return g: half of the bits that the sum of squares loses, so that epsilon fits beside it."""
        return max(0, self.epsilon_shift - shift)


def infer(types: Types, attrs: QLayerNormAttrs) -> TensorType:
    """x s16 [M, C], gamma s16 [C], beta s32 [C]; the attributes keep every step inside 32 bits."""
    rows, channels = operand_shape("x", types[0], 2, DType.S16)
    for name, operand, dtype in (("gamma", types[1], DType.S16), ("beta", types[2], DType.S32)):
        shape = operand_shape(name, operand, 1, dtype)
        need(shape == (channels,), f"found {name} {shape}, allowed ({channels},)")
    need(channels <= MAX_CHANNELS, f"found {channels} channels, allowed at most {MAX_CHANNELS}")
    largest_shift = _largest_shift(channels, attrs)
    need(
        len(attrs.epsilon_by_shift) > largest_shift,
        f"found {len(attrs.epsilon_by_shift)} epsilons, allowed {largest_shift + 1} or more",
    )
    squares = channels * 4**attrs.center_bits + max(attrs.epsilon_by_shift)
    need(
        min(attrs.epsilon_by_shift) >= 0 and squares < 2**31,
        f"found a sum of squares up to {squares} with {attrs.center_bits} bits, allowed below 2^31",
    )
    need(attrs.epsilon_shift >= 0, f"found epsilon_shift {attrs.epsilon_shift}, allowed 0 or more")
    most_bits = norm_bits_limit(channels, attrs)
    need(0 <= attrs.norm_bits <= most_bits, f"found norm_bits {attrs.norm_bits}, allowed 0 to {most_bits}")
    need(0 < attrs.root < 2**16, f"found root {attrs.root}, allowed 1 to {2**16 - 1}")
    shift_fits(attrs.gamma_shift)
    need(attrs.dtype in ("s8", "u8", "s16"), f"found a result of {attrs.dtype}, allowed s8, u8 or s16")
    return TensorType(DType(attrs.dtype), (rows, channels))


def norm_bits_limit(channels: int, attrs: QLayerNormAttrs) -> int:
    """Return the most norm_bits with which no product of any row is ever shifted to the left."""

    def limit(shift: int) -> int:
        g = attrs.dropped_bits(shift)
        # a row that is shifted has an element of center_bits bits
        squares = 4 ** (attrs.center_bits - 1) >> 2 * g if shift > 0 else 0
        least = max(1, squares + attrs.epsilon_by_shift[shift])
        return 26 + g - (31 - least.bit_length()) // 2

    return min(map(limit, range(_largest_shift(channels, attrs) + 1)))


def _largest_shift(channels: int, attrs: QLayerNormAttrs) -> int:
    """Return how far rows are ever shifted: by the bits of the largest |C x - sum x|, or |x|, of int16."""
    largest = (channels - 1) * 65535 if attrs.centred else 32768
    return max(0, largest.bit_length() - attrs.center_bits)


def qlayernorm(x: Array, gamma: Array, beta: Array, attrs: QLayerNormAttrs) -> Array:
    """Return the int8, uint8 or int16 LayerNorm of int16 rows [M, C].

    d = C x - sum x, or x where not centred; h shifts d to center_bits bits: e = R(d, h); g is epsilon_shift
    - h, at least 0; v = (sum e^2 >> 2 g) + epsilon_by_shift[h], at least 1, shifted up by an even k to
    [2^29, 2^31); r = 2^30 / sqrt(v) by table and one Newton step; c = r K / 2^15; n = R(e c, 26 - N - k / 2
    + g); y = C8(R(n gamma + beta, G)), 128 more, or C16. Shifts by more than 31 are shifts by 31.
    """
    x = x.astype(np.int64)
    channels = x.shape[1]
    d = int32(channels * x - x.sum(axis=1, keepdims=True)) if attrs.centred else x
    h = np.maximum(0, bit_length(np.abs(d).max(axis=1, keepdims=True)) - attrs.center_bits)
    e = round_shift(d, h)
    epsilon = np.array(attrs.epsilon_by_shift, dtype=np.int64)[h]
    g = np.maximum(0, attrs.epsilon_shift - h)
    squares = int32((e * e).sum(axis=1, keepdims=True)) >> np.minimum(2 * g, 31)
    v = int32(np.maximum(1, squares + epsilon))
    k = (31 - bit_length(v)) // 2 * 2
    v = v << k
    r = RSQRT_TABLE[(v >> 24) - 32]
    t = ((v >> 15) * ((r * r) >> 15)) >> 15
    r = uint32(r * (3 * 2**15 - t) + 2**15) >> 16
    c = uint32(r * attrs.root + 2**14) >> 15
    n = round_shift(e * c, np.minimum(26 - attrs.norm_bits - k // 2 + g, 31))
    y = round_shift(int32(n * gamma.astype(np.int64)) + beta.astype(np.int64), attrs.gamma_shift)
    if attrs.dtype == "u8":
        return unsigned(saturated(y, "s8"))
    return saturated(y, attrs.dtype)


OP = OpDef(
    ("x", "gamma", "beta"),
    QLayerNormAttrs,
    infer,
    lambda x, at: qlayernorm(x[0], x[1], x[2], at),
    "integer LayerNorm",
)
