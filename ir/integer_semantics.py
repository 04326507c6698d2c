"""The meaning of the integer ops, in numpy: the golden reference of every platform.

Every function follows docs/numerics.md to the bit. R(a, s) is rounding right shift, half up; C8 and C16
saturate. The bounds which keep intermediates in int32 on the target (uint32 in the Newton step) are checked
instead of assumed: intermediates are int64 here, or int32 where their extremes were checked beforehand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tmc.ir.attrs import (
    QAddAttrs,
    QAttentionAttrs,
    QDepthwiseRowsAttrs,
    QInterpolateRowsAttrs,
    QLayerNormAttrs,
    QLinearAttrs,
    QMeanRowsAttrs,
    QRequantiseAttrs,
    QRopeAttrs,
)
from tmc.ir.types import Array, DType

Int = NDArray[np.int64]
Int32 = NDArray[np.int32]

RSQRT_ENTRIES = 96
RSQRT_TABLE: Int = np.array(
    [round(2**30 / (((i + 32.5) * 2**24) ** 0.5)) for i in range(RSQRT_ENTRIES)], dtype=np.int64
)
EXP_ENTRIES = 1024
# Fraction bits of the weights of an interpolation.
INTERPOLATION_BITS = 14


def round_shift(a: Int, s: int | Int) -> Int:
    """Return (a + 2^(s-1)) >> s, and a itself where s is 0: `p.addRN` of the cores."""
    s = np.asarray(s, dtype=np.int64)
    assert s.min(initial=0) >= 0, "negative shift"
    return _int32(a + np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), 0)) >> s


def _shifted(a: Int32, s: int) -> Int32:
    """Return R(a, s), in place."""
    half = (1 << s) >> 1
    _int32(a.max(initial=0) + np.int64(half))
    a += half
    a >>= s
    return a


def bit_length(a: Int) -> Int:
    """Return the number of bits of each non-negative value below 2^53; 0 has none."""
    return np.frexp(a.astype(np.float64))[1].astype(np.int64)


def _int32(a: Int) -> Int:
    """Pass on values that fit int32: the compiler proved that they do."""
    assert a.size == 0 or (a.min() >= -(2**31) and a.max() < 2**31), "int32 overflow in a proven op"
    return a


def _uint32(a: Int) -> Int:
    assert a.size == 0 or (a.min() >= 0 and a.max() < 2**32), "uint32 overflow in a proven op"
    return a


def _product(a: Array, b: Array) -> Int32:
    """Multiply integer matrices exactly, on floating-point BLAS.

    Every product and every partial sum, in any order, is an integer of magnitude at most
    sum |a_k| max |b|, the bound used here. Below 2^24 float32 holds all of these exactly, below 2^31 float64.
    """
    largest_a, largest_b = _magnitude(a), _magnitude(b)
    bound = a.shape[-1] * largest_a * largest_b
    if bound >= 2**24 and a.size:  # often too careful: no row holds its largest element everywhere
        bound = int(np.abs(a, dtype=np.int64).sum(axis=-1).max()) * largest_b
    assert bound < 2**53, "matrix product too large for an exact float64 product"
    exact = np.float32 if bound < 2**24 else np.float64
    result = a.astype(exact) @ b.astype(exact)
    if bound >= 2**31:
        _int32(result)
    return np.asarray(result, dtype=np.int32)


def _magnitude(a: Array) -> int:
    return max(int(a.max(initial=0)), -int(a.min(initial=0)))


def qlinear(
    x: Array,
    weight: Array,
    multiplier: Array,
    bias: Array,
    attrs: QLinearAttrs,
    table: Array | None = None,
    residual: Array | None = None,
) -> Array:
    """Return the requantised product of x [M, K] and weight [N, K].

    acc = sum_k x w;  y = (acc * multiplier[n] + bias[g][n]) >> shift, bias row g = m // (M / G).
    int8 output: C8(y), then table[y + 128] if there is one. int16: C16(y), or C16(residual + y).
    int32: y. The layout of attrs rearranges the result, after all arithmetic.
    """
    acc = _product(x, weight.T)
    rows, channels = acc.shape
    groups = acc.reshape(len(bias), rows // len(bias), channels)
    for extremes in (groups.min(axis=1), groups.max(axis=1)):  # of each sum that shares multiplier and bias
        _int32(_int32(extremes * multiplier.astype(np.int64)) + bias)
    groups *= multiplier.astype(np.int32)
    groups += bias.astype(np.int32)[:, None]
    acc >>= attrs.shift
    y = acc if residual is None else np.add(acc, residual, dtype=np.int64)
    dtype = DType(attrs.dtype)
    if dtype is not DType.S32:
        limits = np.iinfo(dtype.numpy)
        y = np.clip(y, limits.min, limits.max)
    out = np.asarray(table.take(y + 128)) if table is not None else y.astype(dtype.numpy)
    if attrs.layout == "heads":
        out = out.reshape(rows, attrs.heads, channels // attrs.heads).transpose(1, 0, 2)
    if attrs.layout == "transposed":
        out = out.T
    return np.ascontiguousarray(out)


def qrequantise(x: Array, factors: Array, table: Array, attrs: QRequantiseAttrs) -> Array:
    """Return int8 [M, N] from s8 or s32 [M, N] and factors [N, 4]: multiplier, shift, addend in two words.

    t = x m + addend, in 64 bits, the addend with its 2^(shift-1); y = t >> shift, and one less where ties
    go to even, t is a multiple of 2^shift and y is odd; table[C8(y + zero_point) + 128].
    """
    multiplier, shift, high, low = (factors[:, column].astype(np.int64) for column in range(4))
    assert shift.min(initial=1) >= 1 and shift.max(initial=1) <= 62, "shift outside 1 to 62"
    # Words: int64 would hide an overflow, and a float64 bound is enough to exclude one.
    real = np.abs(x.astype(np.float64)) * np.abs(multiplier) + np.abs(high * 2.0**32 + low)
    assert real.max(initial=0) < 2**62, "64-bit overflow in a proven op"
    t = x.astype(np.int64) * multiplier + ((high << 32) | (low & 0xFFFFFFFF))
    y = _int32(t >> shift)
    if attrs.ties == "even":
        y = y - ((t & ((np.int64(1) << shift) - 1) == 0) & (y & 1 == 1))
    codes = np.clip(_int32(y + attrs.zero_point), -128, 127)
    return np.asarray(table[codes + 128])


def qclip(x: Array, low: Array, high: Array, residual: Array | None = None) -> Array:
    """Return x [M, N] between low and high [G, N], row m by line m // (M / G); or C16(residual + that)."""
    lines = np.repeat(np.arange(len(low)), len(x) // len(low))
    y = np.minimum(np.maximum(x, low[lines]), high[lines])
    if residual is not None:
        y = np.clip(y.astype(np.int32) + residual, -(2**15), 2**15 - 1).astype(np.int16)
    return np.asarray(y)


def qadd(x: Array, z: Array, attrs: QAddAttrs) -> Array:
    """Return int8 [M, N]: C8((x * x_multiplier + z * z_multiplier + bias) >> shift)."""
    products = x.astype(np.int64) * attrs.x_multiplier + z.astype(np.int64) * attrs.z_multiplier
    y = _int32(products + attrs.bias) >> attrs.shift
    return np.asarray(np.clip(y, -128, 127), dtype=np.int8)


def qlayernorm(x: Array, gamma: Array, beta: Array, attrs: QLayerNormAttrs) -> Array:
    """Return the int8 or int16 LayerNorm of int16 rows [M, C].

    d = C x - sum x; h shifts d to center_bits bits: e = R(d, h); v = sum e^2 + epsilon_by_shift[h], at least
    1, shifted up by an even k to [2^29, 2^31); r = 2^30 / sqrt(v) by table and one Newton step;
    c = r K / 2^15; n = R(e c, 26 - N - k / 2) has N fraction bits; y = C8(R(n gamma + beta, G)), or C16.
    """
    x = x.astype(np.int64)
    channels = x.shape[1]
    d = _int32(channels * x - x.sum(axis=1, keepdims=True))
    h = np.maximum(0, bit_length(np.abs(d).max(axis=1, keepdims=True)) - attrs.center_bits)
    e = round_shift(d, h)
    epsilon = np.array(attrs.epsilon_by_shift, dtype=np.int64)[h]
    v = _int32(np.maximum(1, (e * e).sum(axis=1, keepdims=True) + epsilon))
    k = (31 - bit_length(v)) // 2 * 2
    v = v << k
    r = RSQRT_TABLE[(v >> 24) - 32]
    t = ((v >> 15) * ((r * r) >> 15)) >> 15
    r = _uint32(r * (3 * 2**15 - t) + 2**15) >> 16
    c = _uint32(r * attrs.root + 2**14) >> 15
    n = round_shift(e * c, 26 - attrs.norm_bits - k // 2)
    y = round_shift(_int32(n * gamma.astype(np.int64)) + beta.astype(np.int64), attrs.gamma_shift)
    dtype = DType(attrs.dtype).numpy
    return np.clip(y, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def qrope(x: Array, table: Array, attrs: QRopeAttrs) -> Array:
    """Rotate int16 [M, H * d] by table [P, d] = (cos, sin) pairs of 2^14; return int8 [H, M, d]."""
    rows, columns = x.shape
    width = columns // attrs.heads
    pairs = x.astype(np.int64).reshape(rows, attrs.heads, width // 2, 2)
    lines = table.astype(np.int64)[np.arange(rows) % table.shape[0]].reshape(rows, 1, width // 2, 2)
    cosine, sine = lines[..., 0], lines[..., 1]
    even = round_shift(pairs[..., 0] * cosine - pairs[..., 1] * sine, attrs.shift)
    odd = round_shift(pairs[..., 0] * sine + pairs[..., 1] * cosine, attrs.shift)
    rotated = np.stack([even, odd], axis=-1).reshape(rows, attrs.heads, width).transpose(1, 0, 2)
    return np.ascontiguousarray(np.clip(rotated, -128, 127).astype(np.int8))


def qattention(q: Array, k: Array, vt: Array, exp_table: Array, attrs: QAttentionAttrs) -> Array:
    """Return int8 [M, H * d] from q [H, M, d], k [H, N, d], vt [H * d, N] and exp_table u8 [H, 1024].

    Per head and row: t_j = R(q . k_j, score_shift); p_j = exp_table[min(1023, max t - t_j)];
    A = sum_j p_j v_j; L = sum_j p_j; the division A / L is deferred to the end (`divide_by_sum`).
    Normalised: p_j = (255 p_j + (L >> 1)) // L first, then A / 255, by way of A / 2: these p_j may sum to
    510.
    """
    heads, rows, width = q.shape
    out = np.empty((rows, heads, width), dtype=np.int8)
    for head in range(heads):
        scores = _shifted(_product(q[head], k[head].T), attrs.score_shift[head])
        assert _magnitude(scores) < 2**15, "scores do not fit int16"
        index = np.minimum(scores.max(axis=1, keepdims=True) - scores, EXP_ENTRIES - 1)
        p = exp_table[head].take(index)
        total = p.astype(np.int64).sum(axis=1, keepdims=True)
        out_shift = attrs.out_shift
        if attrs.normalised:
            p = ((255 * p.astype(np.int64) + (total >> 1)) // total).astype(np.uint8)
            total, out_shift = np.full_like(total, 510), out_shift - 1
        acc = _product(p, vt[head * width : (head + 1) * width].T).astype(np.int64)
        out[:, head] = divide_by_sum(acc, total, attrs.out_multiplier, out_shift)
    return out.reshape(rows, heads * width)


def divide_by_sum(acc: Int, total: Int, out_multiplier: int, out_shift: int) -> Array:
    """Return C8(acc / total * out_multiplier / 2^out_shift), with one integer division per row.

    total is the sum of probabilities of a row, at least 255 since the largest of them is 255.
    """
    assert total.min(initial=255) >= 255, "the exp table does not start at 255"
    n = bit_length(total)
    narrowed = round_shift(acc, n - 8)
    aligned = np.where(n > 16, round_shift(total, np.maximum(n - 16, 0)), total << np.maximum(16 - n, 0))
    reciprocal = (2**30 + (aligned >> 1)) // aligned
    factor = round_shift(reciprocal * out_multiplier, 15)
    y = round_shift(narrowed * factor, 7 + out_shift)
    return np.clip(y, -128, 127).astype(np.int8)


def qmean_rows(x: Array, attrs: QMeanRowsAttrs) -> Array:
    """Return int16 [M / g, C]: C16((sum * multiplier + bias) >> shift) over each run of g rows."""
    sums = x.astype(np.int64).reshape(-1, attrs.group_rows, x.shape[1]).sum(axis=1)
    y = _int32(_int32(sums * attrs.multiplier) + attrs.bias) >> attrs.shift
    return np.asarray(np.clip(y, -32768, 32767), dtype=np.int16)


def qdepthwise_rows(
    x: Array,
    weight: Array,
    multiplier: Array,
    bias: Array,
    attrs: QDepthwiseRowsAttrs,
    table: Array | None = None,
) -> Array:
    """Return int8 [M, C]: each column of x convolved with its row of weight [C, taps].

    acc = sum_k x[i + k - taps / 2][c] w[c][k], with zero_point for rows beyond the ends;
    y = C8((acc * multiplier[c] + bias[c]) >> shift), then table[y + 128] if there is one.
    """
    rows, taps = x.shape[0], weight.shape[1]
    padded = np.pad(x.astype(np.int64), ((taps // 2, taps // 2), (0, 0)), constant_values=attrs.zero_point)
    acc = np.zeros(x.shape, dtype=np.int64)
    for tap in range(taps):
        acc = _int32(acc + padded[tap : tap + rows] * weight[:, tap].astype(np.int64))
    y = _int32(_int32(acc * multiplier.astype(np.int64)) + bias.astype(np.int64)) >> attrs.shift
    out: Array = np.clip(y, -128, 127).astype(np.int8)
    return out if table is None else np.asarray(table[out.astype(np.int64) + 128])


def qinterpolate_rows(x: Array, table: Array, attrs: QInterpolateRowsAttrs) -> Array:
    """Return int16 [rows, C], or [C, rows]: R(x[i] (2^14 - w) + x[i + 1] w, 14) with (i, w) of the table."""
    index, weight = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)[:, None]
    assert index.min() >= 0 and index.max() <= x.shape[0] - 2, "a row outside the input"
    one = 2**INTERPOLATION_BITS
    assert weight.min() >= 0 and weight.max() <= one, "a weight outside 0 to 1"
    wide = x.astype(np.int64)
    y = round_shift(wide[index] * (one - weight) + wide[index + 1] * weight, INTERPOLATION_BITS)
    out = y.astype(np.int16)
    return np.ascontiguousarray(out.T if attrs.layout == "transposed" else out)
