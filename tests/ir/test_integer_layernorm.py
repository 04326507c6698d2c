"""The integer LayerNorm against its second rendering in plain Python integers, bit for bit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tests.ir.test_integer_semantics import KINDS, SEEDS, SETTINGS, evaluate, matrix
from tmc.ir.graph import OpKind as K
from tmc.ir.integer.qlayernorm import QLayerNormAttrs
from tmc.ir.types import Array


def layernorm_attrs(channels: int, epsilon: float, scale: float, gamma_shift: int) -> QLayerNormAttrs:
    """Return the parameters of the contract for a width, epsilon and residual scale."""
    center_bits = (31 - math.ceil(math.log2(channels))) // 2
    if channels * 4**center_bits >= 2**31:
        center_bits -= 1
    room = 2**31 - 1 - channels * 4**center_bits
    whole = epsilon * channels**3 / scale**2
    entries = max(0, (channels * 65535).bit_length() - center_bits) + 1
    return QLayerNormAttrs(
        epsilon_by_shift=tuple(min(room, round(whole / 4**h)) for h in range(entries)),
        center_bits=center_bits,
        norm_bits=min(11, 15 - math.ceil(math.log2(channels) / 2)),
        root=round(2**15 * math.sqrt(channels / 256)),
        gamma_shift=gamma_shift,
    )


@st.composite
def layernorm_cases(draw: st.DrawFn) -> tuple[list[Array], QLayerNormAttrs]:
    channels = draw(st.sampled_from([2, 3, 8, 20, 48, 128, 192, 512]))
    random = np.random.default_rng(draw(SEEDS))
    x = matrix(draw(SEEDS), 3, channels, np.int16, draw(KINDS))
    scale = draw(st.sampled_from([1e-5, 1e-3, 0.1]))
    dtype = draw(st.sampled_from(["s8", "u8", "s16"]))
    shifts = st.integers(0, 8) if dtype == "s16" else st.integers(8, 14)
    attrs = layernorm_attrs(channels, 1e-5, scale, draw(shifts))
    attrs = replace(
        attrs,
        dtype=dtype,
        centred=draw(st.booleans()),
        epsilon_shift=draw(st.sampled_from([0, 0, 1, 5, 9, 17, 34])),
    )
    gamma = random.integers(-32768, 32767, channels, endpoint=True).astype(np.int16)
    beta = random.integers(-(2**29), 2**29, channels, endpoint=True).astype(np.int32)
    return [x, gamma, beta], attrs


@SETTINGS
@given(layernorm_cases())
def test_qlayernorm(case: tuple[list[Array], QLayerNormAttrs]) -> None:
    operands, attrs = case
    x, gamma, beta = (operand.tolist() for operand in operands)
    assert evaluate(K.QLAYERNORM, operands, attrs).tolist() == oracle.qlayernorm(x, gamma, beta, attrs)


@SETTINGS
@given(SEEDS, st.sampled_from([20, 192, 512]), st.sampled_from(["any", "small", "one outlier"]))
def test_qlayernorm_to_the_last_bit_of_its_steps(seed: int, channels: int, kind: str) -> None:
    """gamma 1, G 0 and a beta that takes away the expected output leave the low bits of n to be seen."""
    x = matrix(seed, 1, channels, np.int16, kind)
    attrs = layernorm_attrs(channels, 1e-5, 0.1, 0)
    real = x[0] - x[0].mean()
    beta = -np.round(real / np.sqrt(np.square(real).mean() + 1e-3) * 2**attrs.norm_bits).astype(np.int32)
    gamma = np.ones(channels, np.int16)
    found = evaluate(K.QLAYERNORM, [x, gamma, beta], attrs)
    assert np.abs(found.astype(int)).max() < 127
    assert found.tolist() == oracle.qlayernorm(x.tolist(), gamma.tolist(), beta.tolist(), attrs)


@pytest.mark.parametrize("channels", [8, 128, 512])
def test_qlayernorm_of_a_square_wave_of_full_scale(channels: int) -> None:
    """The largest sum of squares there is: every |e| rounds up to 2^B."""
    x = np.tile(np.array([32767, -32767], np.int16), (1, channels // 2))
    attrs = layernorm_attrs(channels, 1e-5, 1e-5, 11)
    gamma, beta = np.full(channels, 2**11, np.int16), np.zeros(channels, np.int32)
    found = evaluate(K.QLAYERNORM, [x, gamma, beta], attrs)
    assert found.tolist() == oracle.qlayernorm(x.tolist(), gamma.tolist(), beta.tolist(), attrs)
    # mean 0, deviation 1: the output is the wave at 2^N, gamma 2^11, G 11
    assert np.array_equal(found, np.where(x > 0, 127, -128))


@pytest.mark.parametrize("channels", [20, 64, 192, 384, 512])
@pytest.mark.parametrize("amplitude", [2, 30, 1000, 9000, 32767])
def test_qlayernorm_is_close_to_float(channels: int, amplitude: int) -> None:
    random = np.random.default_rng([channels, amplitude])
    scale = 1 / 512
    x = random.integers(-amplitude, amplitude, (300, channels), endpoint=True).astype(np.int16)
    x[:100] = np.clip(np.round(random.standard_normal((100, channels)) * amplitude / 4), -32768, 32767)
    attrs = layernorm_attrs(channels, 1e-5, scale, 14)
    # outputs up to three deviations at 40 steps each, off centre
    unit = 2 ** (attrs.gamma_shift - attrs.norm_bits)
    gamma = np.round(random.uniform(20, 40, channels) * unit).astype(np.int16)
    beta = np.round(random.uniform(-20, 20, channels) * 2**attrs.gamma_shift).astype(np.int32)
    found = evaluate(K.QLAYERNORM, [x, gamma, beta], attrs)
    real = x * scale
    normed = (real - real.mean(axis=1, keepdims=True)) / np.sqrt(real.var(axis=1, keepdims=True) + 1e-5)
    exact = normed * (gamma / unit) + beta / 2**attrs.gamma_shift
    error = np.abs(found - np.clip(exact, -128, 127))
    assert float(error.max()) <= 0.64
