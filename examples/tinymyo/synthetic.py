"""Labelled synthetic surface EMG, for places where no recording is at hand.

A class is a muscle activation pattern: a fixed gain per channel, and a burst envelope (raised cosine, its
bursts per second given by the class). Each channel carries independent Gaussian noise, band-limited to
20-450 Hz by a Butterworth filter of order 4, times gain and envelope, plus a small noise floor. It has the
spectrum and the amplitude statistics of surface EMG; it has no motor units, crosstalk or artefacts.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt  # type: ignore[import-untyped]

from examples.tinymyo.data.sets import ArrayWindows, Splits

SAMPLE_RATE_HZ = 2048
BAND_HZ = (20.0, 450.0)
NOISE_FLOOR = 0.05
WARM_UP_SAMPLES = 512


def synthetic_windows(
    count: int, channels: int, samples: int, classes: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Generate windows (count, channels, samples) and labels (count,); classes take turns.

    The activation pattern of a class depends on `channels` and the class number alone, so that two calls with
    different seeds give two samples of one task.
    """
    noise = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % classes
    band = butter(4, BAND_HZ, btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    raw = noise.standard_normal((count, channels, samples + WARM_UP_SAMPLES))
    carrier = sosfilt(band, raw, axis=-1)[..., WARM_UP_SAMPLES:]
    carrier /= carrier.std(axis=-1, keepdims=True)
    patterns = (
        np.random.default_rng((channels, label)).gamma(1.5, 1.0, channels) for label in range(classes)
    )
    gains = np.stack(list(patterns))
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    bursts_per_second = 1.0 + labels[:, None]
    phases = noise.uniform(0.0, 2.0 * np.pi, (count, 1))
    envelope = 0.5 - 0.5 * np.cos(2.0 * np.pi * bursts_per_second * seconds + phases)
    windows = gains[labels][:, :, None] * envelope[:, None, :] * carrier
    windows += NOISE_FLOOR * noise.standard_normal(windows.shape)
    return windows.astype(np.float32), labels


def synthetic_splits(
    channels: int, samples: int, classes: int, counts: tuple[int, int, int], seed: int = 0
) -> Splits:
    """Generate training, validation and test windows of one task, z-scored as the training windows are."""
    windows, labels = synthetic_windows(sum(counts), channels, samples, classes, seed)
    train = windows[: counts[0]]
    mean, deviation = train.mean(axis=(0, 2), keepdims=True), train.std(axis=(0, 2), keepdims=True)
    scored = (windows - mean) / deviation
    names = tuple(f"gesture {number}" for number in range(classes))
    bounds = np.cumsum([0, *counts]).tolist()
    return Splits(
        *(ArrayWindows(scored[low:high], labels[low:high], names) for low, high in pairwise(bounds))
    )
