from __future__ import annotations

import numpy as np
import pytest

from tmc.passes.accuracy.beyond_calibration import beyond_calibration
from tmc.passes.calibrate.calibrate import Range, Ranges


def range_of(low: float, high: float) -> Range:
    ends = np.array([low, high], dtype=np.float32)
    return Range(ends[:1], ends[1:], ends, np.zeros(2, dtype=np.int64))


@pytest.mark.parametrize(
    ("calibrated", "held", "expected"),
    [
        ((-2, 4), (-2, 4), None),
        ((-2, 4), (-2.3, 4.3), None),  # inside of a network, a little
        ((-2, 4), (-1, 5), (5, 0.25)),
        ((-2, 4), (-5, 4), (-5, 0.75)),  # far below, though its magnitude is hardly larger
        ((-2, 4), (-4, 5), (-4, 0.5)),
        ((4, 6), (1, 6), None),  # towards 0 there are codes
        ((4, 6), (-3, 6), (-3, 0.5)),
        ((-6, -4), (-6, 3), (3, 0.5)),
        ((0, 0), (0, 0), None),
        ((0, 0), (0, 1e-3), (1e-3, 1.0)),
    ],
)
def test_how_far_a_value_is_beyond(
    calibrated: tuple[float, float], held: tuple[float, float], expected: tuple[float, float] | None
) -> None:
    ranges = Ranges({"v": range_of(*calibrated)}, 3)
    found = beyond_calibration(ranges, {"v": held}, {"v": "/fc"}, ())
    assert [(each.reach, each.share) for each in found] == ([] if expected is None else [expected])
    if found:
        low, high = min(calibrated[0], 0), max(calibrated[1], 0)
        assert (found[0].name, found[0].node, found[0].low, found[0].high) == ("v", "/fc", low, high)


def test_an_input_counts_at_once_and_comes_first() -> None:
    ranges = Ranges({name: range_of(-1, 1) for name in ("a", "x", "b")}, 3)
    held = {"a": (-1.0, 1.5), "x": (-1.0, 1.01), "b": (-3.0, 1.0)}
    found = beyond_calibration(ranges, held, {name: f"/{name}" for name in held}, ("x",))
    assert [(each.name, each.share) for each in found] == [("x", 0.01), ("b", 2.0), ("a", 0.5)]
