"""Filters, windows, scaling and augmentation, each against its definition."""

import numpy as np
import pytest
from scipy.signal import butter, filtfilt, iirnotch, lfilter

from examples.tinymyo.data.augment import augment
from examples.tinymyo.data.filters import filter_emg, sections
from examples.tinymyo.data.normalise import Moments, moments, pool, scale_and_shift, to_unit_range
from examples.tinymyo.data.raw import TEST, TRAIN, UNUSED, VAL, Recording
from examples.tinymyo.data.windows import WindowRule, cut
from examples.tinymyo.errors import TinyMyoError

BANDS = [(200.0, (20.0, 90.0)), (2000.0, (20.0, 450.0))]


def noise(time: int, channels: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((time, channels)).astype(np.float32)


@pytest.mark.parametrize(("rate", "band"), BANDS)
def test_filtfilt_is_the_published_filter(rate: float, band: tuple[float, float]) -> None:
    emg = noise(3000)
    bounds = [edge / (0.5 * rate) for edge in band]
    expected = filtfilt(
        *iirnotch(50.0, 30.0, rate), filtfilt(*butter(4, bounds, btype="bandpass"), emg, axis=0), axis=0
    )
    np.testing.assert_allclose(filter_emg(emg, rate, band, "filtfilt"), expected, atol=1e-6)


@pytest.mark.parametrize(("rate", "band"), BANDS)
def test_causal_filter_is_what_a_device_computes(rate: float, band: tuple[float, float]) -> None:
    emg = noise(600)
    out = filter_emg(emg, rate, band, "causal")
    np.testing.assert_array_equal(out[:400], filter_emg(emg[:400], rate, band, "causal"), "reads no future")
    assert not np.array_equal(
        filter_emg(emg, rate, band, "filtfilt")[:400], filter_emg(emg[:400], rate, band, "filtfilt")
    )
    both = lfilter(
        *iirnotch(50.0, 30.0, rate),
        lfilter(*butter(4, band, btype="bandpass", fs=rate), emg[:, 0].astype(float)),
    )
    np.testing.assert_allclose(out[:, 0], both, atol=1e-5)
    for number, sample in enumerate(_biquads(sections(rate, band), emg[:100, 1].astype(float))):
        assert out[number, 1] == np.float32(sample)


def _biquads(rows: np.ndarray, signal: np.ndarray) -> list[float]:
    """Run second-order sections sample by sample, transposed direct form II, as a device does."""
    states = np.zeros((len(rows), 2))
    out = []
    for value in signal:
        for state, (b0, b1, b2, _, a1, a2) in zip(states, rows, strict=True):
            result = b0 * value + state[0]
            state[0], state[1] = b1 * value - a1 * result + state[1], b2 * value - a2 * result
            value = result
        out.append(float(value))
    return out


def test_filter_rejects_what_it_cannot_do() -> None:
    with pytest.raises(TinyMyoError, match="--rate: found 150 Hz, allowed more than 180"):
        filter_emg(noise(100), 150.0, (20.0, 90.0), "filtfilt")
    with pytest.raises(TinyMyoError, match="emg: found 27 samples, allowed 28 or more"):
        filter_emg(noise(27), 200.0, (20.0, 90.0), "filtfilt")
    assert filter_emg(noise(28), 200.0, (20.0, 90.0), "filtfilt").shape == (28, 2)
    bad = noise(100)
    bad[3, 1] = np.nan
    with pytest.raises(TinyMyoError, match="found values that are not finite"):
        filter_emg(bad, 200.0, (20.0, 90.0), "none")
    np.testing.assert_array_equal(filter_emg(noise(9), 200.0, (20.0, 90.0), "none"), noise(9))


def recording(
    labels: list[int], split: list[int], segments: tuple[tuple[int, int], ...] | None = None
) -> Recording:
    count = len(labels)
    return Recording(
        noise(count), np.array(labels, np.int16), np.array(split, np.int8), segments or ((0, count),)
    )


def test_windows_labelled_at_the_start_with_a_padded_tail() -> None:
    one = recording([0] * 4 + [7] * 6, [TRAIN] * 5 + [TEST] * 5)
    cuts = cut(one, WindowRule(pad=True), 6, 3, "published")
    assert cuts.start.tolist() == [0, 3, 6, 9] and cuts.valid.tolist() == [6, 6, 4, 1]
    assert cuts.label.tolist() == [0, 0, 7, 7] and cuts.split.tolist() == [TRAIN, TRAIN, TEST, TEST]
    assert cuts.mixed.tolist() == [True, True, False, False]


def test_windows_labelled_at_the_centre_without_a_tail() -> None:
    one = recording([0] * 4 + [7] * 6, [UNUSED] * 3 + [VAL] * 7)
    cuts = cut(one, WindowRule(anchor="centre"), 4, 2, "published")
    assert cuts.start.tolist() == [2, 4, 6] and cuts.valid.tolist() == [4] * 3
    assert cuts.label.tolist() == [7, 7, 7] and cuts.split.tolist() == [VAL] * 3


def test_purge_leaves_no_sample_in_two_parts() -> None:
    split = ([TRAIN] * 7 + [UNUSED] * 2 + [TEST] * 5 + [VAL] * 6) * 3
    one = recording([1] * len(split), split)
    for overlap, mixed in (("published", True), ("purge", False)):
        cuts = cut(one, WindowRule(), 4, 1, overlap)
        owner: dict[int, set[int]] = {}
        for start, part in zip(cuts.start.tolist(), cuts.split.tolist(), strict=True):
            for sample in range(start, start + 4):
                owner.setdefault(sample, set()).add(part)
        assert any(len(parts) > 1 for parts in owner.values()) is mixed
        assert bool(cuts.mixed.any()) is mixed
    assert set(cuts.split.tolist()) == {TRAIN, VAL, TEST}


def test_windows_inside_runs_and_one_per_segment() -> None:
    one = recording([1] * 5 + [2] * 2 + [1] * 4, [TRAIN] * 11)
    cuts = cut(one, WindowRule(runs=True), 3, 2, "published")
    assert cuts.start.tolist() == [0, 2, 7] and cuts.label.tolist() == [1, 1, 1]
    assert cuts.segment.tolist() == [0, 0, 0]
    pieces = recording([1] * 5 + [2] * 6, [TRAIN] * 11, ((0, 5), (5, 11)))
    cuts = cut(pieces, WindowRule(pad=True, single=True), 6, 1, "published")
    assert cuts.start.tolist() == [0, 5] and cuts.valid.tolist() == [5, 6]
    assert cuts.label.tolist() == [1, 2] and cuts.segment.tolist() == [0, 1]


def rows(parts: list[Moments]) -> Moments:
    columns = (
        [part.count for part in parts],
        [part.mean for part in parts],
        [part.squares for part in parts],
    )
    return Moments(*(np.concatenate(column) for column in columns))


def test_pooled_moments_are_those_of_all_samples() -> None:
    parts = [noise(50, seed=1) * 3 + 5, noise(7, seed=2), noise(0), noise(30, seed=3) - 100]
    pooled = pool(rows([moments(part) for part in parts]), np.array([0, 1, 1, 0]), 3)
    both = np.concatenate([parts[0], parts[3]]).astype(np.float64)
    assert pooled.count.tolist() == [80, 7, 0]
    np.testing.assert_allclose(pooled.mean[0], both.mean(axis=0))
    np.testing.assert_allclose(pooled.deviation[0], both.std(axis=0, ddof=1))
    np.testing.assert_allclose(pooled.deviation[1], parts[1].astype(np.float64).std(axis=0, ddof=1))
    np.testing.assert_array_equal(pooled.deviation[2], 1.0)


def test_scaling_uses_the_training_samples_of_the_group_only() -> None:
    emg = [noise(100, seed=seed) * (seed + 2) + seed for seed in range(3)]
    training = [emg[0][:40], emg[1][:0], emg[2][:0]]
    whole, train = rows([moments(e) for e in emg]), rows([moments(t) for t in training])
    stored = [(e - whole.mean[k]) / whole.deviation[k] for k, e in enumerate(emg)]

    def scaled(mode: str, groups: list[str]) -> list[np.ndarray]:
        scale, shift = scale_and_shift(mode, whole, train, groups)
        return [stored[k] * scale[k] + shift[k] for k in range(3)]

    mean, deviation = emg[0][:40].mean(axis=0), emg[0][:40].std(axis=0, ddof=1)
    for result, e in zip(scaled("train", ["a", "a", "b"]), emg, strict=True):
        np.testing.assert_allclose(result, (e - mean) / deviation, rtol=1e-4, atol=1e-4)
    for result, e in zip(scaled("none", ["a", "a", "b"]), emg, strict=True):
        np.testing.assert_allclose(result, e, rtol=1e-4, atol=1e-4)
    for mode in ("published", "window"):
        for result, e in zip(scaled(mode, ["a", "a", "b"]), emg, strict=True):
            np.testing.assert_allclose(
                result, (e - e.mean(axis=0)) / e.std(axis=0, ddof=1), rtol=1e-4, atol=1e-4
            )


def test_scaling_without_a_training_sample() -> None:
    whole = moments(noise(10))
    with pytest.raises(TinyMyoError, match="--normalise: found train without a training sample"):
        scale_and_shift("train", whole, moments(noise(0)), ["a"])


def test_unit_range_of_each_channel() -> None:
    window = np.stack([np.array([1.0, 2.0, 5.0]), np.full(3, 4.0)]).astype(np.float32)
    np.testing.assert_array_equal(to_unit_range(window), [[-1.0, -0.5, 1.0], [0.0, 0.0, 0.0]])


def test_augmentation_is_small_repeatable_and_drops_channels() -> None:
    window = noise(500, 16).T
    assert augment(window, 3, 0) is window
    np.testing.assert_array_equal(augment(window, 3, 1), augment(window, 3, 1))
    assert not np.array_equal(augment(window, 3, 1), augment(window, 3, 2))
    dropped, gains = 0, []
    for index in range(200):
        copy = augment(window, index, 1 + index % 2)
        silent = ~copy.any(axis=1)
        dropped += int(silent.sum())
        gain = (copy * window).sum(axis=1)[~silent] / (window**2).sum(axis=1)[~silent]
        rest = (copy[~silent] - gain[:, None] * window[~silent]).std(axis=1)
        np.testing.assert_allclose(rest / gain, 0.01, rtol=0.2)
        gains.append(gain.mean())
    assert 0.04 < dropped / 3200 < 0.06
    assert 0.9 <= min(gains) < 0.91 and 1.09 < max(gains) <= 1.101
