"""What a window is scaled by, and which samples may say so.

    train      z-score with mean and deviation of the training samples of its group: nothing leaks
    published  z-score over the whole recording: statistics of test samples reach the training windows
    window     each channel of each window to [-1, 1] by its own extremes, for pre-training
    none       as filtered

Recordings are stored as `published`; `scale_and_shift` turns that into the others when a window is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from examples.tinymyo.errors import TinyMyoError

Normalise = Literal["train", "published", "window", "none"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Hold count (rows), mean and sum of squared deviations (rows, channels), which can be added up."""

    count: NDArray[np.int64]
    mean: Floats
    squares: Floats

    @property
    def deviation(self) -> Floats:
        """Return the deviation of a sample (ddof 1); a constant channel has 1."""
        deviation = np.sqrt(self.squares / np.maximum(self.count - 1, 1)[:, None])
        return np.where(deviation > 0, deviation, 1.0)


def moments(samples: NDArray[np.float32]) -> Moments:
    """Measure (time, channels) as one row, channel by channel in float64; no sample gives zeros."""
    columns = [samples[:, channel].astype(np.float64) for channel in range(samples.shape[1])]
    mean = np.array([column.mean() if len(column) else 0.0 for column in columns])
    squares = np.array([((column - at) ** 2).sum() for column, at in zip(columns, mean, strict=True)])
    return Moments(np.array([len(samples)]), mean[None], squares[None])


def pool(rows: Moments, group: NDArray[np.intp], groups: int) -> Moments:
    """Add up the rows of each group, which are of disjoint samples (Chan, Golub and LeVeque 1979)."""
    count = np.bincount(group, rows.count, groups).astype(np.int64)
    mean = np.zeros((groups, rows.mean.shape[1]))
    np.add.at(mean, group, rows.mean * (rows.count / np.maximum(count[group], 1))[:, None])
    squares = np.zeros_like(mean)
    np.add.at(squares, group, rows.squares + rows.count[:, None] * (rows.mean - mean[group]) ** 2)
    return Moments(count, mean, squares)


def scale_and_shift(
    mode: Normalise, whole: Moments, train: Moments, groups: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what turns stored samples of each segment into `mode`: scale and shift, (segments, channels).

    `whole` and `train` have one row per segment, of all and of its training samples; `groups` names the group
    of each. A group without a training sample takes the moments of all groups.

    Raises:
        TinyMyoError: `train`, and there is no training sample at all.
    """
    if mode in ("published", "window"):
        return np.ones(whole.mean.shape, dtype=np.float32), np.zeros(whole.mean.shape, dtype=np.float32)
    if mode == "none":
        return whole.deviation.astype(np.float32), whole.mean.astype(np.float32)
    everywhere = pool(train, np.zeros(len(groups), dtype=np.intp), 1)
    if not everywhere.count[0]:
        raise TinyMyoError(
            "--normalise: found train without a training sample, allowed published, window, none",
            "prepare recordings of the training part as well",
        )
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    pooled = pool(train, group, len(names))
    known = (pooled.count > 0)[:, None]
    to_mean = np.where(known, pooled.mean, everywhere.mean)[group]
    to_deviation = np.where(known, pooled.deviation, everywhere.deviation)[group]
    scale, shift = whole.deviation / to_deviation, (whole.mean - to_mean) / to_deviation
    return scale.astype(np.float32), shift.astype(np.float32)


def to_unit_range(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each channel of (channels, samples) to [-1, 1]; a constant channel becomes 0."""
    low, high = window.min(axis=1, keepdims=True), window.max(axis=1, keepdims=True)
    span = np.where(high > low, high - low, 1)
    return np.where(high > low, 2 * (window - low) / span - 1, 0).astype(np.float32)
