"""Windows for calibration and test: the real recording where installed, files in its form, synthetic ones."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.signal import welch

from examples.tinymyo import recording
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.recording import cut_windows, find_recording, load_windows, read_recording
from examples.tinymyo.synthetic import synthetic_windows

needs_recording = pytest.mark.skipif(find_recording() is None, reason="openhdemg is not installed")


def write_recording(path: Path, signal: np.ndarray, rate_hz: int = 2048) -> Path:
    """Write a MATLAB file in the form of the recording: Data is a 1x1 cell of (time, columns)."""
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = signal.astype(np.float32)
    savemat(path, {"Data": cell, "SamplingFrequency": np.array([[rate_hz]], dtype=np.uint16)})
    return path


@needs_recording
@pytest.mark.parametrize(("channels", "samples", "train", "test"), [(8, 1000, 46, 19), (16, 200, 232, 99)])
def test_real_windows(channels: int, samples: int, train: int, test: int) -> None:
    windows = load_windows(channels, samples)
    assert windows.train.shape == (train, channels, samples)
    assert windows.test.shape == (test, channels, samples)
    assert windows.train.dtype == windows.test.dtype == np.float32
    assert windows.source == f"real sEMG (openhdemg 0.1.2, {channels} of 64 channels)"
    np.testing.assert_allclose(windows.train.std(axis=(0, 2)), 1.0, atol=0.02)
    frequency, power = welch(windows.train.reshape(-1, samples), fs=2048, nperseg=samples)
    cumulative = np.cumsum(power.mean(axis=0))
    median_hz = frequency[np.searchsorted(cumulative, cumulative[-1] / 2)]
    assert 20 < median_hz < 120, "muscle activity, not drift and not white noise"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Install a small recording whose samples tell their own time and channel."""
    time, column = np.meshgrid(np.arange(10_000), np.arange(70), indexing="ij")
    signal = (time + 10_000.0 * column).astype(np.float32)
    path = write_recording(tmp_path / "r.mat", signal)
    monkeypatch.setattr(recording, "find_recording", lambda: path)
    monkeypatch.setattr(recording.importlib.metadata, "version", lambda name: "9")
    return signal


def test_split_is_by_time_and_normalised_by_the_training_part(stand_in: np.ndarray) -> None:
    windows = load_windows(8, 1000)
    assert windows.source == "real sEMG (openhdemg 9, 8 of 64 channels)"
    assert (len(windows.train), len(windows.test)) == (7, 3)
    training = stand_in[:7000, 0:64:8].astype(np.float64)
    for part, first in ((windows.train, 0), (windows.test, 7000)):
        raw = part.transpose(0, 2, 1).reshape(-1, 8) * training.std(axis=0) + training.mean(axis=0)
        np.testing.assert_allclose(raw, stand_in[first : first + len(raw), 0:64:8], rtol=0, atol=0.1)


def test_window_longer_than_a_part(stand_in: np.ndarray) -> None:
    with pytest.raises(TinyMyoError, match="samples: found 3020, allowed at most 3000 for this recording"):
        load_windows(8, 3020)


def test_a_dead_channel_stays_finite() -> None:
    train, test = cut_windows(np.zeros((2, 1000)), 100)
    assert not train.any() and not test.any()


@pytest.mark.parametrize("channels", [0, 65])
def test_channels_beyond_the_grid(channels: int) -> None:
    with pytest.raises(TinyMyoError, match=f"channels: found {channels}, allowed 1 to 64"):
        load_windows(channels, 200)


def test_broken_recordings(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.mat"
    garbage.write_bytes(b"not a MATLAB file" * 100)
    truncated = write_recording(tmp_path / "truncated.mat", np.ones((500, 64)))
    truncated.write_bytes(truncated.read_bytes()[:5000])
    empty = tmp_path / "empty.mat"
    savemat(empty, {"other": 1})
    for path in (garbage, truncated, empty, tmp_path / "missing.mat"):
        with pytest.raises(TinyMyoError, match=f"{path.name}: found no recording") as caught:
            read_recording(path)
        assert "pip install" in caught.value.note
    for path, found in (
        (write_recording(tmp_path / "slow.mat", np.zeros((50, 64)), 1000), r"Data \(50, 64\) at 1000 Hz"),
        (write_recording(tmp_path / "narrow.mat", np.zeros((50, 8))), r"Data \(50, 8\) at 2048 Hz"),
    ):
        with pytest.raises(TinyMyoError, match=f"{path.name}: found {found}, allowed"):
            read_recording(path)


def test_find_recording_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "PACKAGE", "no-such-package-installed-here")
    assert find_recording() is None


def test_find_recording_in_a_package_without_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "PACKAGE", "numpy")
    assert find_recording() is None


def test_synthetic_fallback_says_so_and_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "find_recording", lambda: None)
    windows = load_windows(8, 200)
    assert windows.source == "SYNTHETIC sEMG (openhdemg is not installed)"
    assert windows.train.shape == (64, 8, 200) and windows.test.shape == (24, 8, 200)
    assert windows.train.dtype == windows.test.dtype == np.float32
    np.testing.assert_allclose(windows.train.std(axis=(0, 2)), 1.0, atol=1e-4)
    assert np.array_equal(windows.train, load_windows(8, 200).train)
    assert not np.array_equal(windows.train, load_windows(8, 200, seed=1).train)


def test_synthetic_band_and_classes() -> None:
    windows, labels = synthetic_windows(120, 8, 1000, 6, seed=3)
    assert labels.tolist() == list(range(6)) * 20
    frequency, power = welch(windows.reshape(-1, 1000), fs=2048, nperseg=500)
    inside = (frequency > 10) & (frequency < 600)
    power = power.mean(axis=0)
    assert power[inside].sum() > 0.98 * power.sum()
    # A class is its pattern of amplitudes: the nearest mean pattern of other windows names it.
    pattern = np.log(windows.std(axis=2))
    pattern -= pattern.mean(axis=1, keepdims=True)
    means = np.stack([pattern[:60][labels[:60] == label].mean(axis=0) for label in range(6)])
    nearest = ((pattern[60:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == labels[60:]).mean() > 0.95
