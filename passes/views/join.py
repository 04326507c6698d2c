"""Join values along an axis in the order in which they were computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tmc.ir.types import Array


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """How parts of a concatenation lie in memory: n slices of the joined axis as [outer, n, inner].

    order [outer * inner]: which elements of a slice, in the declared order, come one after the other.
    """

    outer: int
    inner: int
    order: Array

    def arranged(self, part: Array, axis: int) -> Array:
        """Return a constant part as [outer, n * inner]."""
        slices = np.moveaxis(part, axis, 0).reshape(part.shape[axis], -1)[:, self.order]
        return np.ascontiguousarray(
            slices.reshape(-1, self.outer, self.inner).swapaxes(0, 1).reshape(self.outer, -1)
        )

    def elements(self, shape: Sequence[int], axis: int) -> Array:
        """Return the element that each one of the result, in its declared order, is of the joined parts."""
        count, rest = shape[axis], (*shape[:axis], *shape[axis + 1 :])
        where = np.empty(prod(rest), dtype=np.int32)
        where[self.order] = np.arange(where.size)
        outer, inner = np.divmod(where, self.inner)
        first = outer * (count * self.inner) + inner
        slices = first + np.arange(count, dtype=np.int32)[:, None] * self.inner
        return np.ascontiguousarray(np.moveaxis(slices.reshape(count, *rest), 0, axis)).reshape(-1)


def declared_join(shape: Sequence[int], axis: int) -> Join:
    """Return the join of parts that all lie in their declared order."""
    outer, inner = prod(shape[:axis]), prod(shape[axis + 1 :])
    return Join(outer, inner, np.arange(outer * inner))


def common_join(parts: Sequence[Array], shape: Sequence[int], axis: int) -> Join | None:
    """Return the join of parts each of which is a reordering of all elements of a source, if they have one.

    parts: which element of its source each element is, in the declared shape of the part.
    """
    slices = [np.moveaxis(part, axis, 0).reshape(part.shape[axis], -1) for part in parts]
    size = slices[0].shape[1]
    strides = [int(part[1, 0] - part[0, 0]) for part in slices if len(part) > 1]
    inner = strides[0] if strides else prod(shape[axis + 1 :])
    if inner < 1 or size % inner != 0:
        return None
    order = None
    for part in slices:
        run = len(part) * inner
        outer, rest = np.divmod(part[0], run)
        steps = np.arange(len(part))[:, None] * inner
        if not bool((rest < inner).all() and (part == part[0] + steps).all()):
            return None
        found = np.argsort(outer * inner + rest, kind="stable")
        if order is not None and not np.array_equal(found, order):
            return None
        order = found
    assert order is not None, "a concatenation has parts"
    return Join(size // inner, inner, order)
