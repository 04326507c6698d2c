"""Find the int8 scale and zero point of least mean square error for an observed range."""

from __future__ import annotations

from collections.abc import Mapping
from math import frexp, ldexp

import numpy as np

from tmc.ir.types import Array
from tmc.passes.calibrate.calibrate import Range
from tmc.passes.recipe import RangeSearch

# Clip factors tried on each end of the range, widest first.
CLIP_FACTORS = tuple(factor / 20 for factor in range(20, 3, -1))
# A narrower range must lower the error by this factor: the sample does not see every outlier.
GAIN = 0.995
# The scale of a value that was zero in every sample.
IDLE_LIMIT = 1.0
# Of values beyond 2 to the power of this, or all below 2 to its negative, squares may leave float32.
SQUARED_EXPONENT = 48
PERCENTILES = {"p99.99": 99.99, "p99.9": 99.9}
# So many elements a method needs; of fewer the whole range is taken. A search pays where it cuts what is
# rarer than one element in thousands, a percentile where it leaves out one. A pooled feature has one row per
# window, and what few windows hold once is in every hundredth.
LEAST_ELEMENTS: Mapping[RangeSearch, int] = {"min_max": 0, "mse": 4096, "p99.9": 4096, "p99.99": 10_000}


def search_range(found: Range, symmetric: bool, method: RangeSearch = "mse") -> tuple[float, int]:
    """Return (scale, zero point) of int8 codes for an observed range.

    "mse" starts from the whole range and narrows each end by the factors of CLIP_FACTORS, keeping what lowers
    the mean square error over the sample; a symmetric range narrows both ends at once and has zero point 0.
    "min_max" is the whole range; a percentile cuts it at that percentile of the sample's magnitudes. A sample
    of fewer elements than LEAST_ELEMENTS asks for gets the whole range.
    """
    sample = found.sample.astype(np.float32)
    method = method if sample.size >= LEAST_ELEMENTS[method] else "min_max"
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
