"""Random operands of kernels, with their extremes, and random orders of the cores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[Any]


def integers(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, low: int | None = None
) -> Integers:
    """Draw a matrix over the whole range of a type, or all at its limits, or small, or all the lowest."""
    limits = np.iinfo(dtype)
    least = int(limits.min) if low is None else low
    kind = rng.integers(6)
    if kind == 0:
        return np.full(shape, least, dtype=dtype)
    if kind == 1:
        return rng.choice(np.array([least, limits.max], dtype=dtype), shape)
    if kind == 2:
        return rng.integers(max(least, -3), 4, shape).astype(dtype)
    return rng.integers(least, int(limits.max) + 1, shape).astype(dtype)


def cores_in_some_order(rng: np.random.Generator) -> list[int]:
    """Return the cores in a random order: none may depend on another."""
    return [int(core) for core in rng.permutation(8)]
