"""Integer constants of a LayerNorm, with the proof that it stays in 32 bits."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2, sqrt
from typing import Literal

import numpy as np

from tmc.ir.errors import NoIntegerForm, QuantisationError
from tmc.ir.integer.qlayernorm import QLayerNormAttrs
from tmc.ir.types import Array, Quant

INT32 = 2**31
GAMMA_LIMIT = 2**14 - 1
MAX_GAMMA_SHIFT = 26
# n = R(e c, 26 - norm_bits - k / 2) with k up to 30: more norm bits would need a left shift.
MAX_NORM_BITS = 11
MIN_CHANNELS = 4
# root has to fit uint16, so that r * root fits uint32.
MAX_CHANNELS = 1023


@dataclass(frozen=True, slots=True, eq=False)
class LayerNormCodes:
    """The constants of a qlayernorm: gamma s16 [C], beta s32 [C] and the attributes."""

    gamma: Array
    beta: Array
    attrs: QLayerNormAttrs


def quantise_layernorm(
    where: str,
    gamma: Array,
    beta: Array,
    epsilon: float,
    x_scale: float,
    y: Quant,
    dtype: Literal["s8", "s16"] = "s8",
) -> LayerNormCodes:
    """Return the constants of an integer LayerNorm of C channels; `where` names the ONNX node.

    y, dtype: quantisation and element type of the result.
    The zero point of y is folded into beta. gamma_shift G is the largest for which gamma fits 15 bits and
    2^norm_bits sqrt(C) |gamma| + |beta| + 2^(G-1) fits int32.
    Raises: QuantisationError for a channel count outside the tables, or constants that do not fit.
    """
    channels = len(gamma)
    if not MIN_CHANNELS <= channels <= MAX_CHANNELS:
        raise NoIntegerForm(
            where, f"found LayerNorm over {channels} channels, allowed {MIN_CHANNELS} to {MAX_CHANNELS}"
        )
    bits = center_bits(channels)
    norm_bits = min(MAX_NORM_BITS, 15 - ceil(log2(sqrt(channels))))
    # |d| <= C * 65535, so no row shifts by more than this.
    shifts = max(0, (channels * 65535).bit_length() - bits)
    exact = [epsilon * channels**3 / x_scale**2 / 4**shift for shift in range(shifts + 1)]
    # choose_scales makes the residual stream coarse enough for the first entry, up to float rounding.
    epsilons = tuple(min(round(value), epsilon_limit(channels)) for value in exact)
    y_scale = y.scale[0]
    slope = gamma.astype(np.float64) / y_scale
    offset = beta.astype(np.float64) / y_scale + y.zero_point
    # Newton and the roundings of e, c and n keep |n| within 1 in 256 of its real bound.
    n_limit = ceil(sqrt(channels) * 2**norm_bits * (1 + 1 / 256))
    for gamma_shift in range(MAX_GAMMA_SHIFT, 0, -1):
        gamma_codes = np.rint(slope * 2.0 ** (gamma_shift - norm_bits))
        beta_codes = np.rint(offset * 2.0**gamma_shift)
        bound = n_limit * np.abs(gamma_codes) + np.abs(beta_codes) + 2.0 ** (gamma_shift - 1)
        if np.abs(gamma_codes).max() <= GAMMA_LIMIT and bound.max() < INT32:
            return LayerNormCodes(
                gamma_codes.astype(np.int16),
                beta_codes.astype(np.int32),
                QLayerNormAttrs(
                    epsilons, bits, norm_bits, round(2**15 * sqrt(channels / 256)), gamma_shift, dtype
                ),
            )
    channel = int(np.argmax(np.abs(slope) * GAMMA_LIMIT + np.abs(offset)))
    raise QuantisationError(
        where,
        f"found gamma {gamma[channel]:g} and beta {beta[channel]:g} in channel {channel} for a result "
        f"of scale {y_scale:g}, allowed |gamma| / scale below {GAMMA_LIMIT * 2 ** (norm_bits - 1)} and "
        "|beta| / scale below 2^30",
        f"a LayerNorm with such constants does not fit a result of {dtype}",
    )


def center_bits(channels: int) -> int:
    """Return B, the bits kept of a centred element: the largest for which C 4^B is at most 2^30."""
    return int((30 - (channels - 1).bit_length()) // 2)


def epsilon_limit(channels: int) -> int:
    """Return the largest epsilon constant for which the sum of C squares plus epsilon fits int32."""
    return INT32 - 1 - (channels << 2 * center_bits(channels))
