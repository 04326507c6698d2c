"""Conversions between stored forms: their constants, and their error in steps of the result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import OpKind
from tmc.ir.integer.qconvert import qconvert
from tmc.ir.ops import OPS
from tmc.ir.types import DType, Quant, TensorType
from tmc.passes.integer_ops.convert import Stored, quantise_convert

RATIOS = st.floats(-40, 40).map(lambda power: 2.0**power)
CODES = st.integers(-128, 127)
TYPES: st.SearchStrategy[Stored] = st.sampled_from(["s8", "s16"])


def some_codes(dtype: Stored, zero_point: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return codes of a type with its ends and those around a zero point."""
    limits = np.iinfo(DType(dtype).numpy)
    drawn = np.random.default_rng(seed).integers(limits.min, limits.max + 1, 20)
    near = np.clip([limits.min, limits.max, zero_point, zero_point + 1], limits.min, limits.max)
    return np.concatenate([drawn, near]).reshape(2, 12)


@given(RATIOS, TYPES, TYPES, st.tuples(CODES, CODES), st.integers(0, 2**32 - 1))
@example(1.0, "s16", "s16", (0, 0), 0)
@example(255.9, "s8", "s16", (-128, 0), 0)
@example(2.0**-8, "s16", "s8", (0, -128), 0)
@example(2.0**40, "s16", "s8", (-128, 127), 0)
def test_values_are_rounded_once_and_stay_in_32_bits(
    ratio: float, x_dtype: Stored, y_dtype: Stored, zero_points: tuple[int, int], seed: int
) -> None:
    x, y = Quant((ratio,), zero_points[0]), Quant((1.0,), zero_points[1])
    attrs = quantise_convert("/Add", x, x_dtype, y, y_dtype)
    kind = TensorType(DType(x_dtype), (2, 12))
    assert OPS[OpKind.QCONVERT].infer([kind], attrs) == TensorType(DType(y_dtype), (2, 12))
    codes = some_codes(x_dtype, x.zero_point, seed).astype(kind.dtype.numpy)
    found = qconvert(codes, attrs)
    assert found.tolist() == oracle.qconvert(codes.tolist(), attrs)
    limits = np.iinfo(DType(y_dtype).numpy)
    exact = np.clip((codes.astype(float) - x.zero_point) * ratio + y.zero_point, limits.min, limits.max)
    # Half a step by rounding, and what the multiplier leaves: 15 bits of int16 on its way to int16.
    assert np.all(np.abs(found - exact) <= 0.5 + extra_steps(x_dtype, y_dtype))


def extra_steps(x_dtype: Stored, y_dtype: Stored) -> float:
    """Return by how much the multiplier may put a result off beside rounding, in steps."""
    if x_dtype == y_dtype == "s16":
        return 0.5
    return 1e-6 + (2.0**-14 if x_dtype == y_dtype else 2.0**-7)


@pytest.mark.parametrize("dtype", ["s8", "s16"])
def test_codes_of_one_scale_stay(dtype: Stored) -> None:
    codes = some_codes(dtype, 5, 0).astype(DType(dtype).numpy)
    quant = Quant((0.37,), 5)
    same = quantise_convert("/Add", quant, dtype, quant, dtype)
    assert qconvert(codes, same).tolist() == codes.tolist()
    wide = codes.astype(np.int64)
    there = quantise_convert("/Add", quant, dtype, Quant((0.37,), -100), "s16")
    assert qconvert(codes, there).tolist() == np.clip(wide - 105, -(2**15), 2**15 - 1).tolist()


def test_several_scales_are_refused() -> None:
    with pytest.raises(QuantisationError, match="/Add: found a value with 3 scales, allowed one"):
        quantise_convert("/Add", Quant((1.0, 2.0, 3.0), per="head"), "s16", Quant((1.0,)), "s8")
