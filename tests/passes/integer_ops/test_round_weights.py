from __future__ import annotations

import numpy as np
import pytest

from tests.networks.small_transformer import Size, transformer, windows
from tests.passes.test_quantise import noise_ratios
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.integer_ops.round_weights import BLOCK, round_weights
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import choose_scales


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


@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_few_rows_that_say_nothing_are_ignored(count: int) -> None:
    rows = correlated(400, 40, 2)
    steps = np.random.default_rng(3).uniform(-100, 100, (30, 40))
    rounded = round_weights(steps, rows[:count], 127)
    assert noise(steps, rounded, rows[40:]) <= noise(steps, np.rint(steps), rows[40:])


def test_few_rows_that_are_alike_are_enough() -> None:
    """Pooled features have one row per window, and windows are more alike than features are many."""
    generator = np.random.default_rng(5)
    rows = generator.standard_normal((200, 3)) @ generator.standard_normal((3, 60))
    steps = generator.uniform(-100, 100, (6, 60))
    nearest = noise(steps, np.rint(steps), rows[12:])
    assert noise(steps, round_weights(steps, rows[:12], 127), rows[12:]) < 0.1 * nearest


def test_logits_of_few_windows() -> None:
    graph = transformer(Size())
    ranges = calibrate(graph, {"emg": windows(graph, 12)})
    recipes = DEFAULT, Recipe(weight_rounding="nearest")
    made = [quantise(graph, choose_scales(graph, ranges, recipe), recipe) for recipe in recipes]
    assert len(ranges.values["features"].rows) == 12 < graph.types["features"].shape[1]
    weights, nearest = (graph.constants["logits.weight"].astype(np.float64) for graph in made)
    exact = graph.constants["logits.w"] * (127 / np.abs(graph.constants["logits.w"]).max())
    seen = calibrate(graph, {"emg": windows(graph, 12, seed=7)}).values["features"].rows
    assert np.array_equal(nearest, np.rint(exact)) and not np.array_equal(weights, nearest)
    assert noise(exact, weights, seen) < noise(exact, nearest, seen)


def test_without_rows_every_weight_goes_to_its_nearest() -> None:
    steps = np.array([[0.4, -0.6, 126.9], [200.0, -128.0, 1.5]])
    rounded = round_weights(steps, None, 127)
    assert rounded.dtype == np.int64 and rounded.tolist() == [[0, -1, 127], [127, -127, 2]]
