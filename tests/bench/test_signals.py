"""Windows of one part of a recording: labelled, repeatable, never from the other part."""

import numpy as np
import pytest

from bench.accuracy import signals
from bench.accuracy.signals import CLASSES, GAIN_LIMIT, WINDOW_SAMPLES, labelled_windows, read_parts, split
from examples.tinymyo.errors import TinyMyoError


def recording(length: int = 20_000) -> signals.Signal:
    random = np.random.default_rng(0)
    return random.normal(3.0, 5.0, (64, length))


def test_parts_share_no_instant_and_are_normalised_by_the_first() -> None:
    whole = recording()
    whole[:, 14_000:] *= 10.0
    parts = split(whole, "made up")
    assert parts.train.shape[1] == 14_000 and parts.test.shape[1] == 6_000
    assert np.allclose(parts.train.mean(axis=1), 0.0) and np.allclose(parts.train.std(axis=1), 1.0)
    assert 8.0 < parts.test.std() < 12.0
    assert parts.source == "made up"


def test_equal_arguments_give_equal_windows() -> None:
    parts = split(recording(), "")
    found = labelled_windows(parts.train, 8, 12, seed=4)
    again = labelled_windows(parts.train, 8, 30, seed=4)
    assert found.windows.shape == (12, 8, WINDOW_SAMPLES) and found.windows.dtype == np.float32
    assert np.array_equal(found.windows, again.first(12).windows)
    assert found.labels.tolist() == [*range(CLASSES)] * 2
    assert not np.array_equal(found.windows, labelled_windows(parts.train, 8, 12, seed=5).windows)


def test_a_part_of_one_window_is_enough() -> None:
    assert labelled_windows(recording(WINDOW_SAMPLES), 2, 3, seed=0).windows.shape == (3, 2, WINDOW_SAMPLES)


def test_gains_have_limits() -> None:
    gains = signals._heavy_tailed(np.random.default_rng(0), 0.5, 20_000)
    assert gains.min() == 1.0 / GAIN_LIMIT and gains.max() == GAIN_LIMIT
    assert abs(np.median(gains) - 1.0) < 0.02


def test_classes_differ_as_the_table_says() -> None:
    """On white noise: classes 0 and 1 differ in spectrum and in which electrodes are loud."""
    noise = np.random.default_rng(1).standard_normal((64, 50_000))
    found = labelled_windows(noise, 8, 600, seed=2)
    dull, sharp = (found.windows[found.labels == label] for label in (0, 1))

    def correlation(windows: np.ndarray) -> float:
        return float(np.mean([np.corrcoef(one[:-1], one[1:])[0, 1] for window in windows for one in window]))

    assert correlation(dull) > 0.25 and correlation(sharp) < -0.25
    first, last = (np.log(windows.std(axis=2)).mean(axis=0)[[0, -1]] for windows in (dull, sharp))
    assert first[0] > first[1] + 0.5 and last[1] > last[0] + 0.5


def test_without_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "find_recording", lambda: None)
    with pytest.raises(TinyMyoError, match="openhdemg: found no installed package"):
        read_parts()
