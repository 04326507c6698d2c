"""Sets of windows in memory, and several as one."""

import pickle

import numpy as np
import pytest

from examples.tinymyo.data.sets import ArrayWindows, concatenate
from examples.tinymyo.errors import TinyMyoError


def windows(count: int, channels: int, samples: int = 40) -> np.ndarray:
    return np.random.default_rng(channels).standard_normal((count, channels, samples)).astype(np.float32)


def test_labels_are_numbers_targets_or_none() -> None:
    data = windows(3, 2)
    classed = ArrayWindows(data, np.array([0, 1, 1]), ("rest", "fist"))
    assert (len(classed), classed.channels, classed.padded_channels, classed.samples) == (3, 2, 2, 40)
    assert type(classed[2][1]) is int and classed[2][1] == 1
    targets = np.ones((3, 40, 5), dtype=np.float32)
    label = ArrayWindows(data, targets)[1][1]
    assert isinstance(label, np.ndarray) and label.shape == (40, 5) and label.dtype == np.float32
    assert ArrayWindows(data)[0][1] is None


def test_concatenation_pads_channels_and_keeps_order() -> None:
    first, second, empty = windows(3, 8), windows(2, 14), windows(0, 8)
    joined = concatenate([ArrayWindows(first), ArrayWindows(empty), ArrayWindows(second)], 16)
    assert (len(joined), joined.channels, joined.padded_channels, joined.classes) == (5, 14, 16, ())
    assert [joined.real_channels(i) for i in range(5)] == [8, 8, 8, 14, 14]
    window, label = joined[3]
    assert label is None and window.shape == (16, 40) and window.dtype == np.float32
    np.testing.assert_array_equal(window[:14], second[0])
    assert not window[14:].any() and not joined[2][0][8:].any()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(joined))[4][0], joined[4][0])
    with pytest.raises(IndexError):
        joined[5]


def test_concatenation_rejects_what_does_not_fit() -> None:
    with pytest.raises(TinyMyoError, match=r"found windows of \[40, 60\], allowed one length"):
        concatenate([ArrayWindows(windows(1, 2)), ArrayWindows(windows(1, 2, 60))])
    with pytest.raises(TinyMyoError, match="found windows of \\[\\]"):
        concatenate([])
    with pytest.raises(TinyMyoError, match="channels: found 14, allowed at most 8"):
        concatenate([ArrayWindows(windows(1, 14))], 8)
