"""Products of computed matrices: their constants, and their error in steps of the result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import OpKind
from tmc.ir.integer.qmatmul import MAX_DEPTH, qmatmul
from tmc.ir.ops import OPS
from tmc.ir.types import DType, Quant, TensorType
from tmc.passes.integer_ops.convert import Stored
from tmc.passes.integer_ops.matmul import quantise_matmul

CODES = st.integers(-128, 127)
TYPES: st.SearchStrategy[Stored] = st.sampled_from(["s8", "s16"])


@given(
    st.floats(-6, 3).map(lambda power: 2.0**power),
    TYPES,
    st.tuples(CODES, CODES, CODES),
    st.tuples(st.integers(1, 3), st.integers(1, 300), st.integers(1, 4)),
    st.integers(0, 2**32 - 1),
)
@example(1.0, "s8", (-128, 127, 0), (2, 1, 1), 0)
@example(2.0**-6, "s16", (0, 0, 0), (1, 300, 4), 1)
def test_sums_are_rounded_to_20_bits_and_stay_in_32(
    fullness: float, dtype: Stored, zero_points: tuple[int, int, int], sizes: tuple[int, int, int], seed: int
) -> None:
    groups, depth, columns = sizes
    x, z = Quant((0.5,), zero_points[0]), Quant((0.25,), zero_points[1])
    # A step of the result such that sums of this size fill its codes about so often.
    step = 0.125 * depth * 2**12 / (127 if dtype == "s8" else 32767) * fullness
    y = Quant((step,), zero_points[2] if dtype == "s8" else 0)
    attrs = quantise_matmul("/MatMul", x, z, y, depth, groups, dtype)
    kinds = [TensorType(DType.S8, (2 * groups, depth)), TensorType(DType.S8, (columns * groups, depth))]
    assert OPS[OpKind.QMATMUL].infer(kinds, attrs).shape == (2 * groups, columns)
    random = np.random.default_rng(seed)
    left, right = (random.integers(-128, 128, kind.shape).astype(np.int8) for kind in kinds)
    found = qmatmul(left, right, attrs)
    assert found.tolist() == oracle.qmatmul(left.tolist(), right.tolist(), attrs)
    parts = (left - np.int64(x.zero_point)).reshape(groups, 2, depth)
    others = (right - np.int64(z.zero_point)).reshape(groups, columns, depth)
    sums = (parts @ others.transpose(0, 2, 1)).reshape(2 * groups, columns)
    exact = sums * 0.125 / step + y.zero_point
    ends = np.iinfo(DType(dtype).numpy)
    # Half a step, half a step of what is kept of the sum, and 10 bits of the multiplier.
    error = 0.5 + 0.125 * 2.0 ** (attrs.narrowing - 1) / step + np.abs(sums * 0.125 / step) * 2.0**-10
    assert np.all(np.abs(found - np.clip(exact, ends.min, ends.max)) <= error + 1e-9)


def test_multipliers_have_10_bits_and_sums_20() -> None:
    attrs = quantise_matmul("/MatMul", Quant((0.1,), 7), Quant((0.1,), -7), Quant((3.0,)), 64, 4, "s8")
    assert attrs.narrowing == (64 * 135**2).bit_length() - 20 and attrs.groups == 4
    assert 2**10 <= attrs.multiplier < 2**12
    short = quantise_matmul("/MatMul", Quant((0.1,)), Quant((0.1,)), Quant((3.0,)), 8, 1, "s8")
    assert short.narrowing == 0


def test_what_does_not_fit_is_refused() -> None:
    one = Quant((1.0,))
    with pytest.raises(
        QuantisationError, match="/MatMul: found sums over 16385 products, allowed 16384"
    ) as found:
        quantise_matmul("/MatMul", one, one, one, MAX_DEPTH + 1, 1, "s8")
    assert found.value.notes
    with pytest.raises(
        QuantisationError, match="found a product of matrices with a step of 1e-09 of values with"
    ):
        quantise_matmul("/MatMul", one, one, Quant((1e-9,)), 64, 1, "s8")
