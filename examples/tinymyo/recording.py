"""Windows of surface EMG for calibration and test: real where installed, synthetic otherwise.

The real one is the vastus lateralis recording inside the `openhdemg` package (64 monopolar channels, 2048 Hz,
32.5 s). It is read from the installed package and copied nowhere; openhdemg itself is not imported.
"""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat  # type: ignore[import-untyped]

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.synthetic import synthetic_windows

PACKAGE = "openhdemg"
RECORDING = "otb_testfile.mat"
GRID_CHANNELS = 64
SAMPLE_RATE_HZ = 2048
TRAIN_PART = 0.7
SYNTHETIC_TRAIN, SYNTHETIC_TEST = 64, 24
SYNTHETIC_CLASSES = 6


@dataclass(frozen=True, slots=True)
class Windows:
    """Hold normalised windows (count, channels, samples), float32; train and test share no instant."""

    train: NDArray[np.float32]
    test: NDArray[np.float32]
    source: str


def find_recording() -> Path | None:
    """Return the recording inside the installed openhdemg package, or None without it."""
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    for entry in distribution.files or ():
        if entry.name == RECORDING:
            path = Path(str(distribution.locate_file(entry)))
            return path if path.is_file() else None
    return None


def read_recording(path: Path) -> NDArray[np.float64]:
    """Read the 64 grid channels of a recording, shape (64, time), microvolts at 2048 Hz.

    Raises:
        TinyMyoError: the file is not such a recording.
    """
    try:
        content = loadmat(path)
        signal = np.asarray(content["Data"][0, 0], dtype=np.float64)
        rate_hz = int(content["SamplingFrequency"].item())
    except (OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError) as error:
        raise TinyMyoError(
            f"{path}: found no recording ({error}), allowed a MATLAB file with Data and SamplingFrequency",
            f"reinstall it: pip install --no-deps --force-reinstall {PACKAGE}",
        ) from error
    if signal.ndim != 2 or signal.shape[1] < GRID_CHANNELS or rate_hz != SAMPLE_RATE_HZ:
        raise TinyMyoError(
            f"{path}: found Data {signal.shape} at {rate_hz} Hz, "
            f"allowed (time, {GRID_CHANNELS} or more) at {SAMPLE_RATE_HZ} Hz",
            f"reinstall it: pip install --no-deps --force-reinstall {PACKAGE}",
        )
    return signal[:, :GRID_CHANNELS].T


def cut_windows(signal: NDArray[np.float64], samples: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut (channels, time) into disjoint train windows (first 70 % of the time) and test windows (the rest).

    Mean and standard deviation per channel come from the training part and serve both, so nothing leaks.

    Raises:
        TinyMyoError: the signal is too short for one window in each part.
    """
    split = int(signal.shape[1] * TRAIN_PART)
    parts = signal[:, :split], signal[:, split:]
    if min(part.shape[1] for part in parts) < samples:
        raise TinyMyoError(
            f"samples: found {samples}, allowed at most {signal.shape[1] - split} for this recording",
            "use shorter windows",
        )
    mean = parts[0].mean(axis=1, keepdims=True)
    deviation = np.maximum(parts[0].std(axis=1, keepdims=True), 1e-12)
    train, test = (_windows_of((part - mean) / deviation, samples) for part in parts)
    return train, test


def _windows_of(signal: NDArray[np.float64], samples: int) -> NDArray[np.float32]:
    count = signal.shape[1] // samples
    windows = signal[:, : count * samples].reshape(signal.shape[0], count, samples)
    return np.ascontiguousarray(windows.transpose(1, 0, 2), dtype=np.float32)


def load_windows(channels: int, samples: int, seed: int = 0) -> Windows:
    """Return windows of the real recording where it is installed, else synthetic ones; `source` says which.

    Raises:
        TinyMyoError: more channels than the grid has, or a broken recording.
    """
    if not 1 <= channels <= GRID_CHANNELS:
        raise TinyMyoError(f"channels: found {channels}, allowed 1 to {GRID_CHANNELS}", "use fewer channels")
    path = find_recording()
    if path is None:
        count = SYNTHETIC_TRAIN + SYNTHETIC_TEST
        windows, _ = synthetic_windows(count, channels, samples, SYNTHETIC_CLASSES, seed)
        train, test = windows[:SYNTHETIC_TRAIN], windows[SYNTHETIC_TRAIN:]
        mean, deviation = train.mean(axis=(0, 2), keepdims=True), train.std(axis=(0, 2), keepdims=True)
        source = f"SYNTHETIC sEMG ({PACKAGE} is not installed)"
        return Windows((train - mean) / deviation, (test - mean) / deviation, source)
    chosen = np.arange(channels) * GRID_CHANNELS // channels
    train, test = cut_windows(read_recording(path)[chosen], samples)
    source = (
        f"real sEMG ({PACKAGE} {importlib.metadata.version(PACKAGE)}, {channels} of {GRID_CHANNELS} channels)"
    )
    return Windows(train, test, source)
