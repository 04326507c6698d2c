"""The meaning of the float ops, in numpy float32."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import (
    AttentionAttrs,
    ConvAttrs,
    FakeQuantiseAttrs,
    InterpolateRowsAttrs,
    LayerNormAttrs,
    MeanRowsAttrs,
    RequantShiftAttrs,
    RopeAttrs,
)
from tmc.ir.types import Array

# Rational approximations of erf and erfc in double precision: W. J. Cody, "Rational Chebyshev approximation
# for the error function", Math. Comp. 23 (1969); the first covers |x| <= 0.46875, the second up to 4.
_ERF_P = (
    3.16112374387056560e00,
    1.13864154151050156e02,
    3.77485237685302021e02,
    3.20937758913846947e03,
    1.85777706184603153e-1,
)
_ERF_Q = (2.36012909523441209e01, 2.44024637934444173e02, 1.28261652607737228e03, 2.84423683343917062e03)
_ERFC_P = (
    5.64188496988670089e-1,
    8.88314979438837594e00,
    6.61191906371416295e01,
    2.98635138197400131e02,
    8.81952221241769090e02,
    1.71204761263407058e03,
    2.05107837782607147e03,
    1.23033935479799725e03,
    2.15311535474403846e-8,
)
_ERFC_Q = (
    1.57449261107098347e01,
    1.17693950891312499e02,
    5.37181101862009858e02,
    1.62138957456669019e03,
    3.29079923573345963e03,
    4.36261909014324716e03,
    3.43936767414372164e03,
    1.23033935480374942e03,
)

# The limit of a clip that does not limit.
UNLIMITED = float(np.finfo(np.float32).max)
# Elements worked on at once: the float64 intermediates of one block stay in the cache.
_ERF_BLOCK = 16384


def erf(x: Array) -> Array:
    """Return the error function, exact to float32 rounding (numpy has none)."""
    flat = np.ascontiguousarray(x).reshape(-1)
    out = np.empty(flat.shape, dtype=np.float32)
    for start in range(0, flat.size, _ERF_BLOCK):
        block = flat[start : start + _ERF_BLOCK]
        magnitude = np.abs(block).astype(np.float64)
        far = np.flatnonzero(magnitude > 0.46875)
        result = _erf_near(np.minimum(magnitude, 0.46875))
        result[far] = _erf_far(np.minimum(magnitude.take(far), 4.0))  # erf(4) is 1 in float32
        out[start : start + _ERF_BLOCK] = np.copysign(result, block)
    return out.reshape(np.shape(x))


def _erf_near(small: Array) -> Array:
    square = small * small
    numerator = _ERF_P[4] * square
    denominator = square.copy()
    for i in range(3):
        numerator += _ERF_P[i]
        numerator *= square
        denominator += _ERF_Q[i]
        denominator *= square
    numerator += _ERF_P[3]
    numerator *= small
    denominator += _ERF_Q[3]
    numerator /= denominator
    return np.asarray(numerator)


def _erf_far(middle: Array) -> Array:
    numerator = _ERFC_P[8] * middle
    denominator = middle.copy()
    for i in range(7):
        numerator += _ERFC_P[i]
        numerator *= middle
        denominator += _ERFC_Q[i]
        denominator *= middle
    numerator += _ERFC_P[7]
    denominator += _ERFC_Q[7]
    result = np.exp(-middle * middle)
    result *= numerator
    result /= denominator
    return np.asarray(np.subtract(1.0, result, out=result))


def gelu(x: Array, approximate: str) -> Array:
    """Return x * Phi(x), by erf or by the tanh approximation."""
    if approximate == "none":
        return np.asarray(0.5 * x * (1.0 + erf(x * np.float32(0.5**0.5))), dtype=np.float32)
    inner = np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x * x * x)
    return np.asarray(0.5 * x * (1.0 + np.tanh(inner)), dtype=np.float32)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), with no power that could overflow."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, np.float32(1), small) / (1 + small), dtype=np.float32)


def softmax(x: Array, axis: int) -> Array:
    """Return exp(x - max) / sum along an axis."""
    p = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(p / p.sum(axis=axis, keepdims=True), dtype=np.float32)


def layernorm(x: Array, gamma: Array, beta: Array, attrs: LayerNormAttrs) -> Array:
    """Normalise the last axis, then scale and shift."""
    centred = x if attrs.about == "zero" else x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    normed = centred / np.sqrt(variance + np.float32(attrs.epsilon))
    return np.asarray(normed * gamma + beta, dtype=np.float32)


def conv(x: Array, weight: Array, bias: Array, attrs: ConvAttrs) -> Array:
    """Return the 2-D convolution of x [1, C, H, W] with weight [O, C / groups, KH, KW] and bias [O]."""
    top, left, bottom, right = attrs.pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
    windows = windows[:, :, :: attrs.strides[0], :: attrs.strides[1]]
    batch, channels, height, width = windows.shape[:4]
    grouped = windows.reshape(batch, attrs.groups, channels // attrs.groups, height, width, *weight.shape[2:])
    kernels = weight.reshape(attrs.groups, weight.shape[0] // attrs.groups, *weight.shape[1:])
    out = np.einsum("bgchwij,gocij->bgohw", grouped, kernels, optimize=True)
    return np.asarray(out.reshape(batch, -1, height, width) + bias[:, None, None], dtype=np.float32)


def clip(x: Array, low: Array, high: Array) -> Array:
    """Return x, not below low and not above high."""
    return np.asarray(np.minimum(np.maximum(x, low), high), dtype=np.float32)


def fake_quantise(x: Array, attrs: FakeQuantiseAttrs) -> Array:
    """Return the real numbers that the codes of x stand for: QuantizeLinear, then DequantizeLinear."""
    scale = np.float32(attrs.scale)
    codes = np.clip(np.rint(x / scale) + attrs.zero_point, attrs.low, attrs.high)
    return np.asarray((codes - attrs.zero_point).astype(np.float32) * scale)


def requant_shift(x: Array, mul: Array, add: Array, attrs: RequantShiftAttrs) -> Array:
    """Return clip(floor((x * mul + add + 2^shift / 2) / 2^shift)) of integers, in 64 bits."""
    product = x.astype(np.int64) * mul.astype(np.int64) + add.astype(np.int64)
    codes = (product + (2**attrs.shift >> 1)) >> attrs.shift
    return np.asarray(np.clip(codes, attrs.low, attrs.high), dtype=np.float32)


def linear(x: Array, weight: Array, bias: Array) -> Array:
    """Return x [M, K] times weight [N, K] transposed, plus bias row m // (M / G) of bias [G, N]."""
    rows = x.shape[0] // bias.shape[0]
    return np.asarray(x @ weight.T + np.repeat(bias, rows, axis=0), dtype=np.float32)


def rope(x: Array, cosine: Array, sine: Array, attrs: RopeAttrs) -> Array:
    """Rotate the adjacent column pairs of each head of x [M, H * d]; row r uses table line r % P."""
    rows, columns = x.shape
    pairs = x.reshape(rows, attrs.heads, columns // attrs.heads // 2, 2)
    line = np.arange(rows) % cosine.shape[0]
    c, s = cosine[line][:, None], sine[line][:, None]
    even = pairs[..., 0] * c - pairs[..., 1] * s
    odd = pairs[..., 0] * s + pairs[..., 1] * c
    return np.stack([even, odd], axis=-1).reshape(rows, columns)


def attention(q: Array, k: Array, v: Array, attrs: AttentionAttrs, bias: Array | None = None) -> Array:
    """Return softmax(scale * q k^T + bias) v head by head; q [M, H * d], k and v [N, H * d].

    bias [H or 1, M or 1, N], or the row [1, N] of a mask.
    """
    width = q.shape[1] // attrs.heads
    if attrs.mask_factor is not None and bias is not None:
        bias = (bias * np.float32(attrs.mask_factor) + np.float32(attrs.mask_offset))[None]
    out = np.empty_like(q)
    for head in range(attrs.heads):
        columns = slice(head * width, (head + 1) * width)
        scores = q[:, columns] @ k[:, columns].T * np.float32(attrs.scale)
        if bias is not None:
            scores = scores + bias[head % bias.shape[0]]
        out[:, columns] = softmax(scores, 1) @ v[:, columns]
    return out


def mean_rows(x: Array, attrs: MeanRowsAttrs) -> Array:
    """Average each run of group_rows rows of x [M, C]."""
    return np.asarray(x.reshape(-1, attrs.group_rows, x.shape[1]).mean(axis=1), dtype=np.float32)


def depthwise_rows(x: Array, weight: Array, bias: Array) -> Array:
    """Convolve each column of x [M, C] with its row of weight [C, taps]; rows beyond the ends are 0."""
    rows, taps = x.shape[0], weight.shape[1]
    padded = np.pad(x, ((taps // 2, taps // 2), (0, 0)))
    out = np.zeros_like(x)
    for tap in range(taps):
        out += padded[tap : tap + rows] * weight[:, tap]
    return np.asarray(out + bias, dtype=np.float32)


def interpolation(rows: int, out_rows: int) -> tuple[Array, Array]:
    """Return for each row of the result the row i before it, at most rows - 2, and the weight of row i + 1.

    Row t of the result lies at (t + 1/2) rows / out_rows - 1/2, held inside 0 to rows - 1. rows >= 2.
    """
    # the place in units of 1 / (2 out_rows) is an integer
    unit = 2 * out_rows
    place = np.clip((2 * np.arange(out_rows) + 1) * rows - out_rows, 0, unit * (rows - 1))
    index = np.minimum(place // unit, rows - 2)
    return index, (place - index * unit) / unit


def interpolate_rows(x: Array, attrs: InterpolateRowsAttrs) -> Array:
    """Stretch x [M, C] to attrs.rows rows, linearly between row centres."""
    index, weight = interpolation(x.shape[0], attrs.rows)
    after = weight.astype(np.float32)[:, None]
    return np.asarray(x[index] * (1 - after) + x[index + 1] * after, dtype=np.float32)
