from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmc.passes.calibrate.calibrate import PLENTY, Range
from tmc.passes.recipe import RangeSearch
from tmc.passes.scales.search_range import LEAST_ELEMENTS, affine, search_range, unseen_margin


def range_of(values: np.ndarray, high: float = -np.inf) -> Range:
    """The range of values, and of one more, `high`, that the sample missed."""
    column = values.astype(np.float32).reshape(-1, 1)
    most = np.maximum(column.max(axis=0), np.float32(high))
    return Range(column.min(axis=0), most, column[:, 0], np.zeros(len(column), dtype=np.int64))


def error(values: np.ndarray, scale: float, zero_point: int) -> float:
    codes = np.clip(np.rint(values / scale) + zero_point, -128, 127)
    return float((((codes - zero_point) * scale - values) ** 2).mean())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), tail=st.sampled_from([2.5, 4.0, 30.0]), shift=st.floats(-1, 1))
def test_never_worse_than_the_whole_range(seed: int, tail: float, shift: float) -> None:
    values = np.random.default_rng(seed).standard_t(tail, 5000) + shift
    whole = affine(min(values.min(), 0.0), max(values.max(), 0.0))
    assert error(values, *search_range(range_of(values), symmetric=False)) <= error(values, *whole) * 1.001
    scale, zero_point = search_range(range_of(values), symmetric=True)
    assert zero_point == 0
    assert error(values, scale, 0) <= error(values, np.abs(values).max() / 127, 0) * 1.001


def test_uniform_values_keep_the_whole_range() -> None:
    values = np.random.default_rng(0).uniform(-1, 3, 20_000)
    scale, zero_point = search_range(range_of(values), symmetric=False)
    assert (scale, zero_point) == affine(values.astype(np.float32).min(), values.astype(np.float32).max())
    scale, _ = search_range(range_of(np.append(values, -3)), symmetric=True)
    assert scale == pytest.approx(3 / 127, rel=1e-3)


def test_one_outlier_is_clipped() -> None:
    values = np.random.default_rng(0).standard_normal(20_000)
    scale, zero_point = search_range(range_of(values, 30.0), symmetric=False)
    assert (127 - zero_point) * scale < 12
    assert (-128 - zero_point) * scale < -3
    assert search_range(range_of(values, 30.0), symmetric=True)[0] * 127 < 12


def test_each_end_is_narrowed_on_its_own() -> None:
    values = np.random.default_rng(0).standard_normal(20_000)
    gelu = np.where(values > 0, values, -0.17 * np.minimum(-values, 1))
    scale, zero_point = search_range(range_of(gelu, 40.0), symmetric=False)
    assert (127 - zero_point) * scale < 12
    assert (-128 - zero_point) * scale > -0.5


def test_zero_is_a_code() -> None:
    values = np.random.default_rng(0).uniform(4, 5, 1000)
    scale, zero_point = search_range(range_of(values), symmetric=False)
    assert zero_point == -128 and 255 * scale >= 4.9
    scale, zero_point = search_range(range_of(-values), symmetric=False)
    assert zero_point == 127 and 255 * scale >= 4.9


@pytest.mark.parametrize("method", ["mse", "p99.9", "p99.99"])
@pytest.mark.parametrize("symmetric", [False, True])
def test_few_elements_keep_the_whole_range(method: RangeSearch, symmetric: bool) -> None:
    values = np.random.default_rng(0).standard_normal(40_000)
    least = LEAST_ELEMENTS[method]
    for count in (1, 24, 100, 1000, least - 1):
        found = range_of(values[:count], 8.0)
        assert search_range(found, symmetric, method) == search_range(found, symmetric, "min_max")
        scale, zero_point = search_range(found, symmetric, method)
        assert (127 - zero_point) * scale >= 8.0 - scale / 2
    found = range_of(values[:least], 8.0)
    assert search_range(found, symmetric, method)[0] < 0.9 * search_range(found, symmetric, "min_max")[0]


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_value_that_is_always_zero(symmetric: bool) -> None:
    scale, _ = search_range(range_of(np.zeros(100)), symmetric)
    assert 0 < scale <= 1 / 127


@pytest.mark.parametrize("exponent", [-140, -100, 60, 126])
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_power_of_two_changes_the_scale_by_itself_alone(exponent: int, symmetric: bool) -> None:
    values = np.random.default_rng(1).standard_t(4.0, 5000)
    values = np.clip(values, -1.9, 1.9).astype(np.float16).astype(np.float32)
    values[np.abs(values) < 2.0**-8] = 0.0  # else a small one would lose bits below float32's smallest
    scale, zero_point = search_range(range_of(values), symmetric)
    found = search_range(range_of(np.ldexp(values, exponent)), symmetric)
    assert found == (scale * 2.0**exponent, zero_point) and found[0] > 0


def test_few_elements_get_room_for_those_to_come() -> None:
    values = np.random.default_rng(0).standard_normal(500)
    found = replace(range_of(values), elements=500)
    margin = unseen_margin(500)
    assert 1.3 < margin < 1.5
    for symmetric in (False, True):
        whole, zero_point = search_range(found, symmetric, "min_max", margin=False)
        assert whole == search_range(range_of(values), symmetric, "min_max")[0]
        scale, moved = search_range(found, symmetric)
        assert scale == pytest.approx(margin * whole, rel=1e-5)
        assert abs(moved - zero_point) <= 1
    assert unseen_margin(1) == unseen_margin(16) > unseen_margin(17) > unseen_margin(2**17) > 1
    assert unseen_margin(PLENTY) == unseen_margin(PLENTY + 1) == 1


def test_a_range_is_not_widened_beyond_what_its_value_can_be() -> None:
    values = np.random.default_rng(0).uniform(-1, 2, 500)
    clipped = replace(range_of(values), elements=500, least=-1.0, most=2.5)
    scale, zero_point = search_range(clipped, symmetric=False)
    assert (scale, zero_point) == affine(-1.0, 2.5)
    negative = replace(range_of(values - 4), elements=500)  # what of it is next to 0 stays there
    scale, zero_point = search_range(negative, symmetric=False)
    assert 255 * scale == pytest.approx(unseen_margin(500) * -float(values.min() - 4))
    assert zero_point == 127


def test_a_searched_range_gets_no_room() -> None:
    values = np.random.default_rng(0).standard_normal(5000)
    found = replace(range_of(values), elements=5000)
    assert search_range(found, symmetric=False) == search_range(found, symmetric=False, margin=False)
    assert (
        search_range(found, symmetric=False, method="min_max")[0]
        > 1.1 * search_range(found, symmetric=False, method="min_max", margin=False)[0]
    )


def test_the_margin_meets_what_more_windows_hold() -> None:
    """Ranges of 500 normal numbers, widened, are left by far fewer of the next than ranges as they are."""
    random = np.random.default_rng(0)
    beyond = np.zeros(2)
    for _ in range(50):
        found = replace(range_of(random.standard_normal(500)), elements=500)
        unseen = np.abs(random.standard_normal(20_000))
        for index, margin in enumerate((False, True)):
            limit = 127.5 * search_range(found, True, margin=margin)[0]
            beyond[index] += np.count_nonzero(unseen > limit)
    assert beyond[1] < 0.05 * beyond[0]
