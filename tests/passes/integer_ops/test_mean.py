from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmc.ir.integer.qmean_rows import qmean_rows
from tmc.ir.types import Quant
from tmc.passes.integer_ops.mean import mean_scale, quantise_mean


@settings(max_examples=100, deadline=None)
@given(
    group=st.integers(1, 5000),
    bits=st.integers(0, 7),
    zero_point=st.integers(-128, 127),
    seed=st.integers(0, 10**6),
)
def test_mean_to_half_a_step(group: int, bits: int, zero_point: int, seed: int) -> None:
    x = Quant((0.03,), zero_point)
    y = mean_scale(x, group, bits)
    attrs, codes = quantise_mean(x, Quant((y,)), group)
    assert 1 <= attrs.multiplier < 2**15
    rows = np.random.default_rng(seed).integers(-128, 128, (2 * group, 3)).astype(np.int8)
    got = qmean_rows(rows, attrs)
    exact = (rows.reshape(2, group, 3).astype(float) - zero_point).mean(axis=1) * 0.03 / y
    assert np.abs(got - exact).max() <= 0.5 + 1e-6
    assert got.min() >= codes.low and got.max() <= codes.high
    ratio = Fraction(0.03) / Fraction(y) / group * 2**attrs.shift / attrs.multiplier
    assert abs(ratio - 1) < 1e-14
    assert 0.03 / y <= 2**bits * (1 + 1e-12)


@pytest.mark.parametrize("zero_point", [-128, 0, 127])
@pytest.mark.parametrize("group", [1, 50, 400, 800, 5000])
def test_extreme_rows_never_saturate(zero_point: int, group: int) -> None:
    x = Quant((0.03,), zero_point)
    attrs, codes = quantise_mean(x, Quant((mean_scale(x, group, 7),)), group)
    low = qmean_rows(np.full((group, 1), -128, dtype=np.int8), attrs)[0, 0]
    high = qmean_rows(np.full((group, 1), 127, dtype=np.int8), attrs)[0, 0]
    assert (low, high) == (codes.low, codes.high)
    assert -(2**15) < low <= 0 <= high < 2**15 - 1
