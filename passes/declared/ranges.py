"""Give values the ranges that a quantised model declares, where there are no samples to find better ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.ir.types import Array
from tmc.passes.calibrate.calibrate import Range, Ranges


def declared_ranges(ranges: Ranges, declared: Mapping[str, FakeQuantiseAttrs]) -> Ranges:
    """Return ranges in which every value of `declared` spans what its codes stand for.

    Noise gives a value its shape, the model its size: what a value held is stretched, below and above 0,
    until its ends are those of the codes. So columns keep their proportions, and heads their own scales.
    """
    values = dict(ranges.values)
    for name, attrs in declared.items():
        values[name] = _stretched(values[name], attrs)
    return Ranges(values, ranges.samples)


def _stretched(found: Range, attrs: FakeQuantiseAttrs) -> Range:
    low, high = attrs.limits
    below = low / found.low if low < 0 > found.low else 1.0
    above = high / found.high if high > 0 < found.high else 1.0

    def stretch(array: Array) -> Array:
        return np.where(array < 0, array * below, array * above).astype(np.float32)

    return Range(
        stretch(found.column_low),
        stretch(found.column_high),
        stretch(found.sample),
        found.sample_columns,
        stretch(found.rows),
    )
