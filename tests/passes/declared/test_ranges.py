"""Ranges that a quantised model declares, put in the place of what noise gave."""

from __future__ import annotations

import numpy as np
import pytest

from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.passes.calibrate.calibrate import Range, Ranges
from tmc.passes.declared.ranges import declared_ranges


def range_of(rows: np.ndarray) -> Range:
    """Return the range of a value that held these rows."""
    columns = np.tile(np.arange(rows.shape[1]), len(rows))
    return Range(rows.min(axis=0), rows.max(axis=0), rows.reshape(-1), columns, rows)


@pytest.mark.parametrize(("low", "high"), [(-128, 127), (-128, -1), (-40, 100)])
def test_ends_are_those_of_the_codes(low: int, high: int) -> None:
    rows = np.array([[-1.0, 0.5, -2.0], [3.0, -0.25, 1.0]], np.float32)
    ranges = Ranges({"x": range_of(rows), "y": range_of(rows)}, 1)
    found = declared_ranges(ranges, {"x": FakeQuantiseAttrs(0.25, -30, low, high)})
    assert found.values["y"] is ranges.values["y"] and found.samples == 1
    x = found.values["x"]
    assert (x.low, x.high) == ((low + 30) * 0.25, (high + 30) * 0.25)
    expected = np.where(rows < 0, rows * x.low / -2, rows * x.high / 3)
    assert np.allclose(x.rows, expected) and np.allclose(x.sample, expected.reshape(-1))
    assert np.allclose(x.column_low, expected.min(axis=0))
    assert np.allclose(x.column_high, expected.max(axis=0))


@pytest.mark.parametrize(("sign", "zero_point"), [(1, -128), (1, 3), (-1, 127), (-1, 3)])
def test_a_side_that_noise_did_not_reach_stays_empty(sign: int, zero_point: int) -> None:
    rows = sign * np.array([[0.0, 1.0], [2.0, 0.5]], np.float32)
    ranges = Ranges({"x": range_of(rows)}, 1)
    x = declared_ranges(ranges, {"x": FakeQuantiseAttrs(0.5, zero_point)}).values["x"]
    reach = (127 - zero_point) if sign > 0 else (-128 - zero_point)
    assert x.magnitude == abs(reach) * 0.5
    assert (x.low == 0) is (sign > 0) and (x.high == 0) is (sign < 0)
