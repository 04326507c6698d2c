"""Softmax of rows: its constants, and its error in steps of the result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import OpKind
from tmc.ir.integer.qsoftmax import FAR, MAX_COLUMNS, POWER, SHARE_SCALE, QSoftmaxAttrs, qsoftmax
from tmc.ir.ops import OPS
from tmc.ir.types import DType, Quant, TensorType
from tmc.passes.integer_ops.softmax import quantise_softmax

SCALES = st.floats(-40, 40).map(lambda power: 2.0**power)


@given(SCALES, st.integers(1, 60), st.integers(0, 15), st.integers(0, 2**32 - 1))
@example(2.0**-40, 1, 0, 0)
@example(2.0**40, 9, 0, 0)
@example(1 / 32768, 60, 0, 1)
def test_shares_are_near_those_of_real_numbers(scale: float, columns: int, narrower: int, seed: int) -> None:
    attrs = quantise_softmax("/Softmax", Quant((scale,)), columns)
    kind = TensorType(DType.S16, (5, columns))
    assert OPS[OpKind.QSOFTMAX].infer([kind], attrs) == kind
    x = np.random.default_rng(seed).integers(-(2**15), 2**15, (5, columns)) >> narrower
    found = qsoftmax(x.astype(np.int16), attrs)
    assert found.tolist() == oracle.qsoftmax(x.tolist(), attrs)
    powers = np.exp((x - x.max(axis=1, keepdims=True)) * scale)
    exact = powers / powers.sum(axis=1, keepdims=True)
    # Of the polynomial and its shifts 2e-4, of the exponent less; powers below 2^-15 of the largest are 0,
    # and 60 of them may be lacking.
    assert np.all(np.abs(found * SHARE_SCALE - exact) <= 4e-4 + columns * 2.0**-15 * exact + 2.0**-15)
    assert np.all(found >= 0)


def test_the_polynomial_meets_itself_where_exponents_go_over() -> None:
    c1, c2, c3 = POWER
    assert c1 - c2 + c3 == 2**14
    x = np.arange(0, -40, -1, dtype=np.int16)[None]
    attrs = QSoftmaxAttrs(65535, 2**15, 0)  # a step is an exponent of 1
    found = qsoftmax(x, attrs)[0].astype(int)
    assert found.tolist() == [2**14 // 2**i for i in range(15)] + [1] + [0] * 24


def test_the_largest_code_has_the_largest_share_and_alone_all_of_it() -> None:
    attrs = quantise_softmax("/Softmax", Quant((0.1,)), 3)
    assert qsoftmax(np.array([[-32768, 32767, 0]], np.int16), attrs).tolist() == [[0, 32767, 0]]
    assert qsoftmax(np.array([[5, 5, 5, 5]], np.int16), attrs).tolist() == [[8192] * 4]


def test_most_columns() -> None:
    attrs = quantise_softmax("/Softmax", Quant((1e-4,)), MAX_COLUMNS)
    assert set(qsoftmax(np.full((1, MAX_COLUMNS), 7, np.int16), attrs)[0].tolist()) == {1}
    with pytest.raises(
        QuantisationError, match="/Softmax: found a softmax over 32769 elements, allowed 32768"
    ):
        quantise_softmax("/Softmax", Quant((1e-4,)), MAX_COLUMNS + 1)


@given(SCALES)
def test_multipliers_have_14_bits_and_what_is_beyond_the_limit_is_nothing(scale: float) -> None:
    attrs = quantise_softmax("/Softmax", Quant((scale,)), 4)
    ratio = scale * np.log2(np.e) * 2**15
    assert attrs.multiplier.bit_length() >= 14 or attrs.shift == 30
    assert attrs.multiplier == round(ratio * 2**attrs.shift) or attrs.multiplier == 2**31 - 1
    assert attrs.limit == 65535 or attrs.limit * attrs.multiplier >> attrs.shift >= FAR - 2**15
