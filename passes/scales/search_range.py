"""Find the int8 scale and zero point of least mean square error for an observed range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import frexp, ldexp, log, sqrt

import numpy as np

from tmc.ir.types import Array
from tmc.passes.calibrate.calibrate import PLENTY, Range
from tmc.passes.recipe import RangeSearch

# Clip factors tried on each end of the range, widest first.
CLIP_FACTORS = tuple(factor / 20 for factor in range(20, 3, -1))
# A narrower range must lower the error by this factor: the sample does not see every outlier.
GAIN = 0.995
# Fewer say nothing of a distribution.
FEWEST = 16
# The scale of a value that was zero in every sample.
IDLE_LIMIT = 1.0
# Of values beyond 2 to the power of this, or all below 2 to its negative, squares may leave float32.
SQUARED_EXPONENT = 48
PERCENTILES = {"p99.99": 99.99, "p99.9": 99.9}
# So many elements a method needs; of fewer the whole range is taken. A search pays where it cuts what is
# rarer than one element in thousands, a percentile where it leaves out one. A pooled feature has one row per
# window, and what few windows hold once is in every hundredth.
LEAST_ELEMENTS: Mapping[RangeSearch, int] = {"min_max": 0, "mse": 4096, "p99.9": 4096, "p99.99": 10_000}


def search_range(
    found: Range, symmetric: bool, method: RangeSearch = "mse", margin: bool = True
) -> tuple[float, int]:
    """Return (scale, zero point) of int8 codes for an observed range.

    "mse" starts from the whole range and narrows each end by the factors of CLIP_FACTORS, keeping what lowers
    the mean square error over the sample; a symmetric range narrows both ends at once and has zero point 0.
    "min_max" is the whole range; a percentile cuts it at that percentile of the sample's magnitudes. A sample
    of fewer elements than LEAST_ELEMENTS asks for gets the whole range. margin: a whole range of few elements
    gets room for those to come (unseen_margin), within what the value cannot leave.
    """
    sample = found.sample.astype(np.float32)
    method = method if sample.size >= LEAST_ELEMENTS[method] else "min_max"
    if margin and method == "min_max":
        found = _widened(found)
    cut = np.percentile(np.abs(sample), PERCENTILES[method]) if method in PERCENTILES else np.inf
    magnitude = float(min(found.magnitude, cut)) or found.magnitude or IDLE_LIMIT
    factors = CLIP_FACTORS if method == "mse" else (1.0,)
    if symmetric:
        return _best(sample, [(-magnitude * factor, magnitude * factor) for factor in factors], symmetric)[:2]
    low, high = max(min(found.low, 0.0), -magnitude), min(max(found.high, 0.0), magnitude)
    if low == high:
        high = IDLE_LIMIT
    for _ in range(2 if method == "mse" else 0):
        high = _best(sample, [(low, high * factor) for factor in CLIP_FACTORS], symmetric)[2][1]
        low = _best(sample, [(low * factor, high) for factor in CLIP_FACTORS], symmetric)[2][0]
    return affine(low, high)


def unseen_margin(elements: int) -> float:
    """Return by how much PLENTY elements reach further than so many do.

    The largest of n numbers from a normal distribution is about sqrt(2 ln n) deviations from its mean. The
    next few windows leave the ranges of a few windows, and what is clipped of a LayerNorm there is most of
    the noise; a step wider by a fifth costs 1.6 dB.
    """
    return sqrt(max(1.0, log(PLENTY) / log(max(elements, FEWEST))))


def _widened(found: Range) -> Range:
    margin = np.float32(unseen_margin(found.elements))
    return replace(
        found,
        column_low=np.minimum(np.maximum(found.column_low * margin, found.least), found.column_low),
        column_high=np.maximum(np.minimum(found.column_high * margin, found.most), found.column_high),
    )


def affine(low: float, high: float) -> tuple[float, int]:
    """Return the scale and zero point that spread int8 codes over [low, high], which contains 0."""
    scale = (high - low) / 255
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


def _best(
    sample: Array, ends: list[tuple[float, float]], symmetric: bool
) -> tuple[float, int, tuple[float, float]]:
    exponent = frexp(max(max(-low, high) for low, high in ends))[1]
    if abs(exponent) > SQUARED_EXPONENT:  # a power of 2 changes no rounding, and no square leaves float32
        sample = np.ldexp(sample, -exponent)
        shrunk = [(ldexp(low, -exponent), ldexp(high, -exponent)) for low, high in ends]
        scale, zero_point, (low, high) = _best(sample, shrunk, symmetric)
        return ldexp(scale, exponent), zero_point, (ldexp(low, exponent), ldexp(high, exponent))
    best_error = np.inf
    best = (0.0, 0, ends[0])
    for low, high in ends:
        if low == high:
            continue
        scale, zero_point = (high / 127, 0) if symmetric else affine(low, high)
        codes = np.clip(np.rint(sample / np.float32(scale)), -128 - zero_point, 127 - zero_point)
        error = float(np.square(codes * np.float32(scale) - sample).mean(dtype=np.float64))
        if error < GAIN * best_error:
            best_error, best = error, (scale, zero_point, (low, high))
    return best
