from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, log2, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmc.ir.attrs import LayerNormAttrs
from tmc.ir.errors import QuantisationError
from tmc.ir.integer.qlayernorm import MAX_CHANNELS, infer, qlayernorm
from tmc.ir.types import DType, Quant, TensorType
from tmc.passes.integer_ops.layernorm import (
    center_bits,
    epsilon_limit,
    quantise_layernorm,
)

NORM, RMS = LayerNormAttrs(1e-5), LayerNormAttrs(1e-5, "zero")


def deviations(x: np.ndarray, norm: LayerNormAttrs) -> np.ndarray:
    return x if norm.about == "zero" else x - x.mean(axis=1, keepdims=True)


def float_layernorm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, norm: LayerNormAttrs) -> np.ndarray:
    centred = deviations(x, norm)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + norm.epsilon) * gamma + beta


def constants(channels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return np.exp(generator.normal(0, 0.3, channels)), generator.normal(0, 0.3, channels)


@settings(max_examples=80, deadline=None)
@given(
    channels=st.sampled_from([2, 3, 4, 5, 16, 32, 48, 64, 192, 200, 512, 768, 1023, 1024, 1280, 4100, 16385]),
    norm=st.sampled_from([NORM, RMS]),
    x_scale=st.sampled_from([1.0, 1e-3, 1e-6, 1e-10]),
    amplitude=st.floats(2, 32767),
    seed=st.integers(0, 10**6),
    zero_point=st.integers(-128, 127),
)
def test_within_one_step_of_float(
    channels: int, norm: LayerNormAttrs, x_scale: float, amplitude: float, seed: int, zero_point: int
) -> None:
    gamma, beta = constants(channels, seed)
    y = Quant((0.04,), zero_point)
    codes = quantise_layernorm("/norm", gamma, beta, norm, x_scale, y)
    x = np.clip(np.rint(np.random.default_rng(seed).normal(0, amplitude / 3, (20, channels))), -32768, 32767)
    got = qlayernorm(x.astype(np.int16), codes.gamma, codes.beta, codes.attrs).astype(float)
    real = float_layernorm(x * x_scale, gamma, beta, norm) / 0.04 + zero_point
    # e keeps B bits of the largest deviation: half a step of it, scaled like the result
    spread = np.abs(deviations(x, norm)).max(axis=1, keepdims=True)
    deviation = np.sqrt((deviations(x, norm) ** 2).mean(axis=1, keepdims=True)) + 1e-9
    coarse = 2.0 ** -center_bits(channels) * spread / deviation * np.abs(gamma) / 0.04
    # and n, of 15 bits in all, half a step of its fraction bits, which are few where rows are wide
    root_shift = round(log2(2**15 * sqrt(channels / 256) / codes.attrs.root))
    coarse += 2.0 ** (root_shift - codes.attrs.norm_bits - 1) * np.abs(gamma) / 0.04
    slope = np.abs(real - zero_point) * 2e-3
    assert (np.abs(got - np.clip(real, -128, 127)) <= 0.6 + coarse + slope).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 32, 128, 192, 512, 1023, 1024, 4097, MAX_CHANNELS])
@pytest.mark.parametrize("rows", ["extremes", "one", "half", "constant"])
@pytest.mark.parametrize("norm", [NORM, RMS])
@pytest.mark.parametrize("finer", [1, 2, 100, 1e6])
def test_extreme_rows_stay_in_32_bits(channels: int, rows: str, norm: LayerNormAttrs, finer: float) -> None:
    gamma, beta = constants(channels, 0)
    scale = sqrt(1e-5 * channels**3 / epsilon_limit(channels)) / finer
    codes = quantise_layernorm("/norm", gamma, beta, norm, scale, Quant((0.01,), -128))
    operands = TensorType(DType.S16, (2, channels)), TensorType(DType.S16, (channels,))
    infer((*operands, TensorType(DType.S32, (channels,))), codes.attrs)
    x = np.full((2, channels), -32768)
    if rows == "extremes":
        x[:, ::2] = 32767
    if rows == "half":
        x[:, : channels // 2] = 32767
    if rows == "one":
        x[0, 0], x[1, -1] = 32767, -32767
    qlayernorm(x.astype(np.int16), codes.gamma, codes.beta, codes.attrs)  # asserts int32 at every step


@pytest.mark.parametrize(
    ("channels", "root_shift"), [(4, 0), (32, 0), (192, 0), (1023, 0), (1024, 1), (5000, 2)]
)
def test_normalised_values_keep_to_their_bound(channels: int, root_shift: int) -> None:
    # |n| is largest, sqrt(C - 1), for a row with one spike.
    norm = LayerNormAttrs(0.0)
    codes = quantise_layernorm("/norm", np.ones(channels), np.zeros(channels), norm, 1.0, Quant((0.5,)))
    norm_bits = codes.attrs.norm_bits - root_shift
    bound = ceil(sqrt(channels) * 2**norm_bits * (1 + 1 / 256))
    # y = R(n - bound - 2, 1) is negative as long as n keeps to the bound.
    attrs = replace(codes.attrs, gamma_shift=1)
    gamma, beta = np.ones(channels, dtype=np.int16), np.full(channels, -bound - 2, dtype=np.int32)
    heights = np.unique(np.geomspace(1, 65535, 3000 if channels < 1024 else 300).astype(np.int64))
    x = np.full((len(heights), channels), -32768)
    x[:, 0] += heights
    assert (qlayernorm(x.astype(np.int16), gamma, beta, attrs) < 0).all()
    near = np.full(channels, -floor(sqrt(channels - 1) * 2**norm_bits * (1 - 1 / 256)), dtype=np.int32)
    assert (qlayernorm(x[-1:].astype(np.int16), gamma, near, attrs)[0, 0] >= 0).all()


def test_constants_by_the_formulas() -> None:
    gamma, beta = constants(192, 3)
    codes = quantise_layernorm("/norm", gamma, beta, NORM, 1e-3, Quant((0.04,), -9))
    attrs = codes.attrs
    assert (attrs.center_bits, attrs.norm_bits, attrs.root) == (11, 11, 28378)
    assert len(attrs.epsilon_by_shift) == (192 * 65535).bit_length() - 11 + 1
    for shift, epsilon in enumerate(attrs.epsilon_by_shift):
        assert epsilon == round(1e-5 * 192**3 / 1e-6 / 4**shift)
    assert np.array_equal(codes.gamma, np.rint(gamma / 0.04 * 2.0 ** (attrs.gamma_shift - 11)))
    assert np.array_equal(codes.beta, np.rint((beta / 0.04 - 9) * 2.0**attrs.gamma_shift))
    assert 2**13 <= np.abs(codes.gamma.astype(int)).max() < 2**14


def test_large_beta_takes_bits_from_gamma() -> None:
    gamma, _ = constants(192, 3)
    codes = quantise_layernorm("/norm", gamma, np.full(192, 400.0), NORM, 1e-3, Quant((0.04,), 0))
    assert np.abs(codes.gamma.astype(int)).max() < 2**13
    x = np.random.default_rng(0).integers(-2000, 2000, (4, 192)).astype(np.int16)
    assert (qlayernorm(x, codes.gamma, codes.beta, codes.attrs) == 127).all()


def test_gamma_of_zeros() -> None:
    codes = quantise_layernorm("/norm", np.zeros(8), np.full(8, 0.4), NORM, 1e-2, Quant((0.04,), 3))
    x = np.random.default_rng(0).integers(-2000, 2000, (4, 8)).astype(np.int16)
    assert (qlayernorm(x, codes.gamma, codes.beta, codes.attrs) == 13).all()


def test_squares_and_epsilon_fit() -> None:
    for channels in (*range(1, 1300), *range(1300, MAX_CHANNELS + 1, 7), MAX_CHANNELS):
        assert channels * 4 ** center_bits(channels) <= 2**30 < channels * 4 ** (center_bits(channels) + 1.1)
        assert channels * 4 ** center_bits(channels) + epsilon_limit(channels) == 2**31 - 1


def test_more_channels_than_there_are_products_for() -> None:
    message = "^/norm: found a normalisation over 32768 channels, allowed at most 32512"
    with pytest.raises(QuantisationError, match=message):
        quantise_layernorm("/norm", np.ones(2**15), np.zeros(2**15), NORM, 1e-2, Quant((0.04,)))


def test_epsilon_that_dominates_takes_bits_of_the_squares_and_gives_them_to_the_result() -> None:
    """Rows far below the root of epsilon: a norm is x / sqrt(epsilon), to nearly 16 bits."""
    scale = 1e-9
    x = np.random.default_rng(0).integers(-32768, 32768, (50, 64)).astype(np.int16)
    ones, zeros = np.ones(64), np.zeros(64)
    real = float_layernorm(x * scale, ones, zeros, NORM)
    y = Quant((float(np.abs(real).max()) / 32767,))
    codes = quantise_layernorm("/norm", ones, zeros, NORM, scale, y, "s16")
    assert codes.attrs.epsilon_shift > 10 and codes.attrs.norm_bits > 18
    noise = qlayernorm(x, codes.gamma, codes.beta, codes.attrs) * y.scale[0] - real
    assert np.square(real).sum() > 10**6.5 * np.square(noise).sum()


@pytest.mark.parametrize(("gamma", "beta"), [(1e9, 0.0), (1.0, 1e9)])
def test_constants_that_do_not_fit(gamma: float, beta: float) -> None:
    gammas, betas = np.ones(8), np.zeros(8)
    gammas[5], betas[5] = gamma, beta
    with pytest.raises(QuantisationError, match=r"^/norm: found gamma .* in channel 5 for a result of scale"):
        quantise_layernorm("/norm", gammas, betas, NORM, 1e-2, Quant((0.04,)))
