"""Concatenations in the order in which their parts were computed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.passes.pass_checks import normal
from tmc.passes.views.join import Join, common_join, declared_join

Computed = tuple[tuple[int, ...], tuple[int, ...]]


def part(
    shape: tuple[int, ...], permutation: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a source whose transpose has a shape, and which element of it each element of that is."""
    source = normal(*(shape[axis] for axis in np.argsort(permutation)))
    return source, np.arange(source.size).reshape(source.shape).transpose(permutation)


def joined(
    join: Join, sources: list[NDArray[np.float32]], constant: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    """Return sources and a constant joined as the join says, in the declared order of the result."""
    parts = [source.reshape(join.outer, -1) for source in sources]
    flat = np.concatenate([*parts, join.arranged(constant, axis)], axis=1).reshape(-1)
    shape = list(constant.shape)
    shape[axis] = flat.size * constant.shape[axis] // constant.size
    return flat[join.elements(shape, axis)].reshape(shape)


@pytest.mark.parametrize("permutation", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("size", [1, 2])
def test_parts_in_one_order(permutation: tuple[int, ...], axis: int, size: int) -> None:
    shapes = []
    for count in (size, 3, 2):
        shape = [3, 4, 5]
        shape[axis] = count
        shapes.append(tuple(shape))
    (first, one), (second, two) = (part(shape, permutation) for shape in shapes[:2])
    constant = normal(*shapes[2])
    whole = [3, 4, 5]
    whole[axis] = size + 5
    join = common_join([one, two], whole, axis)
    assert join is not None
    expected = np.concatenate([first.reshape(-1)[one], second.reshape(-1)[two], constant], axis=axis)
    np.testing.assert_array_equal(joined(join, [first, second], constant, axis), expected)


def test_parts_in_declared_order() -> None:
    first, constant = normal(2, 3, 4), normal(2, 2, 4)
    found = joined(declared_join((2, 5, 4), 1), [first], constant, 1)
    np.testing.assert_array_equal(found, np.concatenate([first, constant], axis=1))


def test_one_slice_each() -> None:
    first, second = part((1, 6), (0, 1)), part((1, 6), (0, 1))
    join = common_join([first[1], second[1]], (2, 6), 0)
    assert join is not None and (join.outer, join.inner) == (1, 6)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (np.arange(12).reshape(3, 4), np.arange(12).reshape(4, 3).T),
        (np.arange(12).reshape(3, 4)[::-1], np.arange(12).reshape(3, 4)),
        (np.arange(12).reshape(3, 4)[:, [1, 0, 2, 3]], np.arange(12).reshape(3, 4)),
        (np.arange(12).reshape(3, 4)[[0, 2, 1]], np.arange(12).reshape(3, 4)),
    ],
)
def test_parts_in_different_orders_have_no_common_one(one: NDArray[np.int64], two: NDArray[np.int64]) -> None:
    assert common_join([one, two], (6, 4), 0) is None
