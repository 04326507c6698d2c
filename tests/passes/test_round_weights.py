from __future__ import annotations

import numpy as np
import pytest

from tests.passes.small_transformer import Size, transformer, windows
from tests.passes.test_quantise import noise_ratios
from tmc.passes.calibrate import calibrate
from tmc.passes.choose_scales import choose_scales
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.round_weights import BLOCK, round_weights


def correlated(rows: int, columns: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    mixing = generator.standard_normal((columns, columns)) / columns**0.5
    return (generator.standard_normal((rows, columns)) @ mixing + 0.5).astype(np.float32)


def noise(steps: np.ndarray, rounded: np.ndarray, rows: np.ndarray) -> float:
    return float(np.square(rows @ (rounded - steps).T).mean())


@pytest.mark.parametrize("columns", [1, 7, BLOCK, 2 * BLOCK + 5])
def test_products_are_closer_on_rows_not_seen(columns: int) -> None:
    steps = np.random.default_rng(1).uniform(-100, 100, (16, columns))
    rows = correlated(40 * columns, columns, 2)
    seen, other = rows[: 20 * columns], rows[20 * columns :]
    rounded = round_weights(steps, seen, 127)
    assert np.array_equal(rounded, np.rint(rounded)) and np.abs(rounded - steps).max() < 4
    if columns >= BLOCK:
        assert noise(steps, rounded, other) < 0.5 * noise(steps, np.rint(steps), other)


def test_independent_columns_round_to_nearest() -> None:
    steps = np.random.default_rng(1).uniform(-100, 100, (5, 40))
    assert np.array_equal(round_weights(steps, np.eye(40, dtype=np.float32) * 3, 127), np.rint(steps))


def test_limit_and_integers() -> None:
    steps = np.random.default_rng(1).uniform(-127, 127, (50, 48))
    assert np.abs(round_weights(steps, correlated(200, 48, 3), 127)).max() == 127
    whole = np.rint(steps)
    assert np.array_equal(round_weights(whole, correlated(200, 48, 3), 127), whole)


def test_silent_columns_and_rows_of_zeros() -> None:
    steps = np.random.default_rng(1).uniform(-100, 100, (4, 8))
    rows = correlated(60, 8, 4)
    rows[:, 3] = 0.0
    rounded = round_weights(steps, rows, 127)
    assert np.array_equal(rounded[:, 3], np.rint(steps[:, 3]))
    assert np.array_equal(round_weights(steps, np.zeros((60, 8), dtype=np.float32), 127), np.rint(steps))


def test_operands_stay_as_they_were() -> None:
    steps, rows = np.random.default_rng(1).uniform(-100, 100, (4, 40)), correlated(60, 40, 4)
    before = steps.copy(), rows.copy()
    round_weights(steps, rows, 127)
    assert np.array_equal(steps, before[0]) and np.array_equal(rows, before[1])


def test_worth_in_a_network() -> None:
    graph = transformer(Size())
    ranges = calibrate(graph, {"emg": windows(graph, 32)})

    def ratios(recipe: Recipe) -> dict[str, float]:
        return noise_ratios(graph, quantise(graph, choose_scales(graph, ranges, recipe), recipe), count=60)

    nearest, compensated = ratios(Recipe(weight_rounding="nearest")), ratios(DEFAULT)
    assert compensated["tokens"] > nearest["tokens"] + 0.4
    assert compensated["logits"] > nearest["logits"]


def test_too_few_rows_say_nothing() -> None:
    """Two windows of four rows cannot tell how 20 columns go together: nearest it is."""
    graph = transformer(Size(channels=1, patches=4, layers=1))
    ranges = calibrate(graph, {"emg": windows(graph, 2)})
    recipes = DEFAULT, Recipe(weight_rounding="nearest")
    first, other = (quantise(graph, choose_scales(graph, ranges, recipe), recipe) for recipe in recipes)
    assert all(np.array_equal(array, other.constants[name]) for name, array in first.constants.items())
