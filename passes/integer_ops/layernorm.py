"""Integer constants of a LayerNorm or RMSNorm, with the proof that it stays in 32 bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor, inf, log2, sqrt
from typing import Literal

import numpy as np

from tmc.ir.attrs import LayerNormAttrs
from tmc.ir.errors import NoIntegerForm, QuantisationError
from tmc.ir.integer.qlayernorm import MAX_CHANNELS, QLayerNormAttrs, norm_bits_limit
from tmc.ir.types import Array, Quant

INT32 = 2**31
GAMMA_LIMIT = 2**14 - 1
MAX_GAMMA_SHIFT = 26
# Fraction bits of n where epsilon is small against the rows, and bits of n in all.
MAX_FRACTION_BITS = 11
NORMED_BITS = 15


@dataclass(frozen=True, slots=True, eq=False)
class LayerNormCodes:
    """The constants of a qlayernorm: gamma s16 [C], beta s32 [C] and the attributes."""

    gamma: Array
    beta: Array
    attrs: QLayerNormAttrs


@dataclass(frozen=True, slots=True)
class _Steps:
    """How rows are normalised, gamma and beta apart.

    attrs: all but gamma_shift and dtype. fraction_bits: of the normalised value; reach: its largest.
    """

    attrs: QLayerNormAttrs
    fraction_bits: int
    reach: float


def quantise_layernorm(
    where: str,
    gamma: Array,
    beta: Array,
    norm: LayerNormAttrs,
    x_scale: float,
    y: Quant,
    dtype: Literal["s8", "s16"] = "s8",
) -> LayerNormCodes:
    """Return the constants of an integer LayerNorm of C channels; `where` names the ONNX node.

    y, dtype: quantisation and element type of the result.
    The zero point of y is folded into beta. gamma_shift G is the largest for which gamma fits 15 bits and
    2^norm_bits reach |gamma| + |beta| + 2^(G-1) fits int32.
    Raises: QuantisationError for too many channels, or constants that do not fit.
    """
    channels = len(gamma)
    if channels > MAX_CHANNELS:
        raise NoIntegerForm(
            where, f"found a normalisation over {channels} channels, allowed at most {MAX_CHANNELS}"
        )
    steps = _steps(channels, norm, x_scale)
    bits = steps.fraction_bits
    y_scale = y.scale[0]
    slope = gamma.astype(np.float64) / y_scale
    offset = beta.astype(np.float64) / y_scale + y.zero_point
    # Newton and the roundings of e, c and n keep |n| within 1 in 256 of its real bound.
    n_limit = ceil(steps.reach * 2.0**bits * (1 + 1 / 256))
    for gamma_shift in range(MAX_GAMMA_SHIFT, 0, -1):
        gamma_codes = np.rint(slope * 2.0 ** (gamma_shift - bits))
        beta_codes = np.rint(offset * 2.0**gamma_shift)
        bound = n_limit * np.abs(gamma_codes) + np.abs(beta_codes) + 2.0 ** (gamma_shift - 1)
        if np.abs(gamma_codes).max() <= GAMMA_LIMIT and bound.max() < INT32:
            attrs = replace(steps.attrs, gamma_shift=gamma_shift, dtype=dtype)
            return LayerNormCodes(gamma_codes.astype(np.int16), beta_codes.astype(np.int32), attrs)
    channel = int(np.argmax(np.abs(slope) * GAMMA_LIMIT + np.abs(offset)))
    raise QuantisationError(
        where,
        f"found gamma {gamma[channel]:g} and beta {beta[channel]:g} in channel {channel} for a result "
        f"of scale {y_scale:g}, allowed |gamma| / scale below {GAMMA_LIMIT * 2.0 ** (bits - 1):.0f} and "
        "|beta| / scale below 2^30",
        f"a LayerNorm with such constants does not fit a result of {dtype}",
    )


def _steps(channels: int, norm: LayerNormAttrs, x_scale: float) -> _Steps:
    """Return how rows of C channels are normalised.

    Epsilon, in steps of the sum of squares, may be far larger than what fits beside it: then the squares, and
    it, lose 2 g bits. Where epsilon dominates all rows that 16 bits of x can hold, n is small, and gets more
    fraction bits.
    """
    centred = norm.about is None
    bits = center_bits(channels)
    # |d| <= C * 65535, so no row shifts by more than this.
    shifts = max(0, (channels * 65535).bit_length() - bits)
    whole = norm.epsilon * (channels**3 if centred else channels) / x_scale**2
    room, dropped = epsilon_limit(channels), 0
    while round(whole / 4**dropped) > room:
        dropped += 1
    epsilons = tuple(round(whole / 4 ** max(shift, dropped)) for shift in range(shifts + 1))
    root_shift = 0
    while root(channels, root_shift) >= 2**16:
        root_shift += 1
    widest = (65535 if centred else 32768) * x_scale
    reach = min(sqrt(channels), widest / sqrt(norm.epsilon) if norm.epsilon > 0 else inf)
    attrs = QLayerNormAttrs(
        epsilons, bits, 0, root(channels, root_shift), 0, centred=centred, epsilon_shift=dropped
    )
    fraction = min(
        NORMED_BITS - ceil(log2(reach)),
        MAX_FRACTION_BITS + floor(log2(sqrt(channels) / reach)),
        norm_bits_limit(channels, attrs) - root_shift,
    )
    return _Steps(replace(attrs, norm_bits=fraction + root_shift), fraction, reach)


def root(channels: int, shift: int) -> int:
    """Return K: 2^15 sqrt(C) / 2^(4 + shift)."""
    return round(2**15 * sqrt(channels / 4 ** (4 + shift)))


def center_bits(channels: int) -> int:
    """Return B, the bits kept of a centred element: the largest for which C 4^B is at most 2^30."""
    return int((30 - (channels - 1).bit_length()) // 2)


def epsilon_limit(channels: int) -> int:
    """Return the largest epsilon constant for which the sum of C squares plus epsilon fits int32."""
    return INT32 - 1 - (channels << 2 * center_bits(channels))
