"""Products of two values: the constants of all types, and how far they are off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import OpKind
from tmc.ir.integer.qmul import narrowing, qmul
from tmc.ir.ops import OPS
from tmc.ir.types import DType, Quant, TensorType
from tmc.passes.integer_ops.convert import Stored
from tmc.passes.integer_ops.mul import quantise_mul

# The scale of the result in parts of the one that its whole range would need: calibration sees less of it.
SHARES = st.floats(-12, 0).map(lambda power: 2.0**power)
CODES = st.integers(-128, 127)
TYPES: st.SearchStrategy[Stored] = st.sampled_from(["s8", "s16"])


def levels(dtype: Stored) -> int:
    """Return how far codes are from a zero point."""
    return 255 if dtype == "s8" else 2**15


@given(SHARES, st.tuples(TYPES, TYPES, TYPES), st.tuples(CODES, CODES, CODES), st.integers(0, 2**32 - 1))
@example(1.0, ("s8", "s8", "s8"), (127, -128, -128), 0)
@example(2.0**-12, ("s16", "s16", "s16"), (0, 0, 0), 1)
def test_products_of_all_types(
    share: float, types: tuple[Stored, Stored, Stored], zero_points: tuple[int, int, int], seed: int
) -> None:
    zeros = [zero if dtype == "s8" else 0 for zero, dtype in zip(zero_points, types, strict=True)]
    scales = (0.03, 1.7, 0.03 * 1.7 * share * levels(types[0]) * levels(types[1]) / levels(types[2]))
    quants = [Quant((scale,), zero) for scale, zero in zip(scales, zeros, strict=True)]
    attrs = quantise_mul("/Mul", quants[0], quants[1], quants[2], types)
    kinds = [TensorType(DType(dtype), (2, 8)) for dtype in types]
    assert OPS[OpKind.QMUL].infer(kinds[:2], attrs) == kinds[2]
    random, codes = np.random.default_rng(seed), []
    for kind in kinds[:2]:
        low, high = kind.code_limits
        codes.append(random.integers(low, high + 1, (2, 8)).astype(kind.dtype.numpy))
        codes[-1][0, :2] = low, high
    found = qmul(codes[0], codes[1], attrs)
    narrow = narrowing(kinds[0].dtype, kinds[1].dtype)
    assert narrow == {0: 0, 1: 8, 2: 15}[types[:2].count("s16")]
    assert found.tolist() == oracle.qmul(codes[0].tolist(), codes[1].tolist(), attrs, narrow)
    row = qmul(codes[0], codes[1][:1], attrs)
    assert row.tolist() == oracle.qmul(codes[0].tolist(), codes[1][:1].tolist(), attrs, narrow)
    x, z = (each.astype(float) - zero for each, zero in zip(codes, zeros, strict=False))
    ratio = scales[0] * scales[1] / scales[2]
    exact = np.clip(x * z * ratio + zeros[2], *kinds[2].code_limits)
    # Half a step by rounding, half a unit of a product rounded before, half a unit of the multiplier.
    rounding = 0.5 * ratio * 2**narrow if narrow else 0.0
    unit = np.abs(x * z) / 2**narrow * 2.0 ** -(attrs.shift + 1)
    assert np.all(np.abs(found - exact) <= 0.5 + rounding + unit + 1e-6)
    assert attrs.multiplier >= 2**14 or 0.5 * 2**16 / 2**attrs.shift <= 2**-6


def test_a_product_of_too_small_a_step() -> None:
    with pytest.raises(QuantisationError, match="/Mul: found a product with a step of 1e-09") as error:
        quantise_mul("/Mul", Quant((1.0,)), Quant((0.5,)), Quant((1e-9,)))
    assert "of values with steps of 1 and 0.5, allowed a step of 1.52588e-05 at least" in str(error.value)
    assert error.value.notes[0].startswith("in calibration one is near 0")
