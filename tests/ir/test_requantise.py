"""Requantisation by a 64-bit product: numpy, plain integers and examples agree."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tmc.ir.graph import OpKind as K
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.ops import OPS
from tmc.ir.types import Array


def evaluate(operands: list[Array], attrs: QRequantiseAttrs) -> Array:
    return OPS[K.QREQUANTISE].evaluate(operands, attrs)


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([np.int8, np.int32]),
    st.integers(1, 62),
    st.integers(-128, 127),
    st.sampled_from(["even", "up"]),
)
def test_qrequantise(
    seed: int, dtype: type, shift: int, zero_point: int, ties: Literal["even", "up"]
) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (6, 5)).astype(dtype)
    x >>= random.integers(np.iinfo(dtype).bits - 1)
    highest = int(np.abs(x.astype(np.int64)).max(initial=1))
    largest = max(1, min(2**31 - 1, 2 ** min(shift + 29, 60) // highest))
    multiplier = random.integers(-largest, largest, 5, endpoint=True)
    # Half a step, or what comes nearest: every second sum is a tie.
    multiplier[:2] = 2 ** min(shift - 1, largest.bit_length() - 1)
    steps = min(60, 2 ** (61 - shift)) if shift < 61 else 0
    addend = [(2 * int(step) + 1) * 2 ** (shift - 1) for step in random.integers(-steps, steps + 1, 5)]
    words = [(m, shift, a >> 32, a % 2**32) for m, a in zip(multiplier.tolist(), addend, strict=True)]
    factors = np.array(words).astype(np.uint32).astype(np.int32)
    table = random.integers(-128, 128, 256).astype(np.int8)
    attrs = QRequantiseAttrs(zero_point, ties)
    found = evaluate([x, factors, table], attrs)
    assert found.tolist() == oracle.qrequantise(x.tolist(), factors.tolist(), table.tolist(), attrs)


def test_qrequantise_rounds_ties() -> None:
    x = np.array([[-5, -3, -1, 1, 3, 5]], dtype=np.int8).T
    factors = np.array([[1, 1, 0, 1]], dtype=np.int32)
    table = np.arange(-128, 128).astype(np.int8)
    for ties, expected in (("even", [-2, -2, 0, 0, 2, 2]), ("up", [-2, -1, 0, 1, 2, 3])):
        found = evaluate([x, factors, table], QRequantiseAttrs(0, ties))
        assert found.T.tolist() == [expected]
    with pytest.raises(AssertionError, match="64-bit overflow"):
        evaluate([x, np.array([[2**30, 1, 2**30, 0]], dtype=np.int32), table], QRequantiseAttrs())
    with pytest.raises(AssertionError, match="shift outside 1 to 62"):
        evaluate([x, np.array([[1, 0, 0, 0]], dtype=np.int32), table], QRequantiseAttrs())
