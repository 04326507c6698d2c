"""From raw folders to stores and back: every dataset, every way to scale, kills, and the memory it takes."""

import dataclasses
import json
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from examples.tinymyo.data import prepare as preparing
from examples.tinymyo.data.augment import augment
from examples.tinymyo.data.datasets import DATASETS
from examples.tinymyo.data.filters import filter_emg
from examples.tinymyo.data.prepare import Options, Summary, complete_options, prepare
from examples.tinymyo.data.store import load_store
from examples.tinymyo.errors import TinyMyoError
from tests.examples.data import raw_files
from tests.examples.data.raw_files import MOVE, REST

EACH = MOVE + REST


def quiet(text: str) -> None:
    assert text


def fill(raw: Path, dataset: str) -> None:
    """Write a few recordings of a dataset, with all three parts."""
    if dataset == "db5":
        for exercise in (1, 2):
            raw_files.ninapro(raw / f"S1_E{exercise}_A1.mat", 16, 6, (1, 2), exercise)
    if dataset == "db6":
        raw_files.ninapro(raw / "S1_D1_T1.mat", 16, 12, (1, 3))
    if dataset == "db7":
        raw_files.ninapro(raw / "S1_E1_A1.mat", 12, 6, (1, 2))
    if dataset == "db8":
        for session in (1, 2, 3):
            raw_files.db8(raw / f"S1_E1_A{session}.mat", seed=session)
    if dataset == "epn612":
        raw_files.epn_user(raw / "trainingJSON" / "user1" / "user1.json", {"fist": 2}, {"open": 2})
        raw_files.epn_user(raw / "testingJSON" / "user1" / "user1.json", {"pinch": 12}, {})
    if dataset == "uci":
        for subject in (1, 25, 31):
            raw_files.uci(raw / f"{subject:02}" / "1_raw.txt")
    if dataset == "emg2pose":
        raw_files.emg2pose(raw, {"a": "train", "b": "val", "c": "test"})


def prepared(tmp_path: Path, dataset: str, **options: object) -> tuple[Path, Summary]:
    fill(tmp_path / "raw", dataset)
    full = dataclasses.replace(Options(dataset, window=200, stride=100), **options)
    return tmp_path / "store", prepare(tmp_path / "raw", tmp_path / "store", full, True, say=quiet)


@pytest.mark.parametrize("dataset", list(DATASETS))
def test_every_dataset_to_windows(tmp_path: Path, dataset: str) -> None:
    store, summary = prepared(tmp_path, dataset)
    splits = load_store(store, padded_channels=16)
    for part in (splits.train, splits.val, splits.test):
        assert len(part) > 0
        assert (part.channels, part.padded_channels, part.samples) == (DATASETS[dataset].channels, 16, 200)
        window, label = part[len(part) - 1]
        assert window.shape == (16, 200) and window.dtype == np.float32 and window.flags.c_contiguous
        assert window[: part.channels].any(axis=1).all() and not window[part.channels :].any()
        assert part.real_channels(0) == part.channels
        if dataset == "db8":
            assert isinstance(label, np.ndarray) and label.shape == (200, 5) and part.classes == ()
        elif dataset == "emg2pose":
            assert label is None and part.classes == ()
        else:
            assert type(label) is int and 0 <= label < len(part.classes)
        with pytest.raises(IndexError):
            part[len(part)]
        with pytest.raises(IndexError):
            part[-1]
    assert summary.windows == {"train": len(splits.train), "val": len(splits.val), "test": len(splits.test)}
    assert summary.missing > 0 or dataset == "emg2pose"
    again = pickle.loads(pickle.dumps(splits.train))
    np.testing.assert_array_equal(again[0][0], splits.train[0][0])


def test_windows_hold_the_published_values(tmp_path: Path) -> None:
    """DB5, step by step: filter, z-score over the recording, windows at each start, zeros at the end."""
    store, _ = prepared(tmp_path, "db5", normalise="published")
    emg = loadmat(tmp_path / "raw" / "S1_E2_A1.mat")["emg"]
    filtered = filter_emg(emg, 200.0, (20.0, 90.0), "filtfilt")
    scored = (filtered - filtered.mean(axis=0)) / filtered.std(axis=0, ddof=1)
    windows = load_store(store).train
    per_file = len(windows) // 2
    expected, labels = [], []
    for start in range(0, len(emg), 100):
        repetition = start // EACH % 6 + 1
        if repetition in (1, 2, 5):
            window = np.zeros((16, 200))
            piece = scored[start : start + 200].T
            window[:, : piece.shape[1]] = piece
            expected.append(window)
            movement = start // (6 * EACH) + 1
            labels.append(movement + 12 if start % EACH < MOVE else 0)
    assert per_file == len(expected)
    for number, (window, label) in enumerate(zip(expected, labels, strict=True)):
        found = windows[per_file + number]
        np.testing.assert_allclose(found[0], window, rtol=1e-4, atol=1e-4)
        assert found[1] == label


def test_test_samples_do_not_reach_training_windows(tmp_path: Path) -> None:
    """Change only test repetitions: training windows stay to the bit, except with the published scaling."""
    path = tmp_path / "raw" / "S1_E1_A1.mat"
    results = {}
    for louder in (1.0, 50.0):
        raw_files.ninapro(path, 12, 6)
        content = loadmat(path)
        content["emg"][(content["rerepetition"] == 6).ravel()] *= louder
        raw_files.savemat(path, {name: content[name] for name in ("emg", "restimulus", "rerepetition")})
        store = tmp_path / f"store{louder}"
        options = Options("db7", 200, 200, filter="none", overlap="purge")
        prepare(tmp_path / "raw", store, options, True, say=quiet)
        for mode in ("train", "published", "none", "window"):
            train = load_store(store, mode).train
            results[mode, louder] = np.stack([train[i][0] for i in range(len(train))])
    for mode, atol in (("train", 1e-4), ("none", 1e-8), ("window", 1e-4)):
        np.testing.assert_allclose(results[mode, 1.0], results[mode, 50.0], rtol=1e-3, atol=atol)
    assert np.abs(results["published", 1.0]).mean() > 5 * np.abs(results["published", 50.0]).mean()
    np.testing.assert_allclose(results["train", 1.0].std(), 1.0, atol=0.05)
    assert results["window", 1.0].min() == -1.0 and results["window", 1.0].max() == 1.0


def test_zeros_behind_the_end_stay_zero_in_every_scaling(tmp_path: Path) -> None:
    store, _ = prepared(tmp_path, "epn612")
    for mode in ("train", "published", "none", "window"):
        window = load_store(store, mode).train[0][0]
        assert window[:, :151].any(axis=1).all() and not window[:, 151:].any()


def test_half_precision_keeps_small_signals(tmp_path: Path) -> None:
    whole, _ = prepared(tmp_path, "db7")
    half = tmp_path / "half"
    prepare(tmp_path / "raw", half, Options("db7", 200, 100, dtype="float16"), True, say=quiet)
    sizes = [(store / "recordings" / "S1_E1_A1.npy").stat().st_size for store in (whole, half)]
    assert sizes[1] < 0.51 * sizes[0]
    for mode in ("train", "none"):
        a, b = (load_store(store, mode).test[3][0] for store in (whole, half))
        assert a.any()
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3 * np.abs(a).max())


def test_augmentation_triples_the_training_part_only(tmp_path: Path) -> None:
    store, summary = prepared(tmp_path, "db5")
    plain = load_store(store)
    again = Options("db5", 200, 100, augment="published")
    prepare(tmp_path / "raw", store, again, True, say=quiet)
    splits = load_store(store)
    count = len(plain.train)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (
        3 * count,
        len(plain.val),
        len(plain.test),
    )
    np.testing.assert_array_equal(splits.train[5][0], plain.train[5][0])
    for view in (1, 2):
        window, label = splits.train[view * count + 5]
        np.testing.assert_array_equal(window, augment(plain.train[5][0], 5, view))
        assert label == plain.train[5][1]
    assert summary.windows["train"] == count


def test_uci_rows_are_not_at_the_published_rate(tmp_path: Path) -> None:
    _, summary = prepared(tmp_path, "uci")
    assert summary.rate_hz == pytest.approx(1000)
    with pytest.raises(TinyMyoError, match="--window: found no window of 1000 samples"):
        prepare(tmp_path / "raw", tmp_path / "long", Options("uci"), True, say=quiet)


def test_purge_counts_and_removes_mixed_windows(tmp_path: Path) -> None:
    _, published = prepared(tmp_path, "db5", window=1000, stride=250)
    purged = prepare(tmp_path / "raw", tmp_path / "purged", Options("db5", overlap="purge"), True, say=quiet)
    assert published.mixed > 0 and purged.mixed == 0
    assert sum(purged.windows.values()) == sum(published.windows.values()) - published.mixed


def test_missing_recordings(tmp_path: Path) -> None:
    fill(tmp_path / "raw", "db5")
    with pytest.raises(
        TinyMyoError, match=r"S1_E3_A1.mat: found 2 of 30 recordings, not this one and 27 more"
    ):
        prepare(tmp_path / "raw", tmp_path / "store", Options("db5"), say=quiet)
    assert not (tmp_path / "store").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(TinyMyoError, match="found 0 of 30 recordings"):
        prepare(tmp_path / "empty", tmp_path / "store", Options("db5"), True, say=quiet)


def test_kill_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop in the second recording: no store yet; then only what is missing is read, with the same result."""
    whole, _ = prepared(tmp_path, "db8")
    read: list[str] = []
    dataset = DATASETS["db8"]

    def reading(stop_at: int) -> None:
        def one(source: preparing.Source) -> object:
            read.append(source.name)
            if len(read) == stop_at:
                raise KeyboardInterrupt
            return dataset.read(source)

        monkeypatch.setitem(DATASETS, "db8", dataclasses.replace(dataset, read=one))

    store, options = tmp_path / "again", Options("db8", 200, 100)
    reading(2)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "raw", store, options, True, say=quiet)
    with pytest.raises(TinyMyoError, match="found a store that is not complete") as caught:
        load_store(store)
    assert "run prepare again" in caught.value.note
    reading(0)
    read.clear()
    prepare(tmp_path / "raw", store, options, True, say=quiet)
    assert read == ["S1_E1_A2", "S1_E1_A3"]
    for a, b in zip(
        sorted((whole / "recordings").iterdir()), sorted((store / "recordings").iterdir()), strict=True
    ):
        assert a.name == b.name
        if a.suffix == ".npy":
            assert a.read_bytes() == b.read_bytes()
    raw_files.db8(tmp_path / "raw" / "S1_E1_A2.mat", 700)
    read.clear()
    prepare(tmp_path / "raw", store, options, True, say=quiet)
    assert read == ["S1_E1_A2"], "a raw file of another size is read again"


def test_sigkill_leaves_nothing_half_done(tmp_path: Path) -> None:
    raw_files.emg2pose(tmp_path / "raw", {f"r{n}": "train" for n in range(12)}, time=20_000)
    command = [sys.executable, "-m", "examples.tinymyo", "prepare", "--dataset", "emg2pose"]
    command += ["--raw", str(tmp_path / "raw"), "-o"]
    killed = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "1/12 r0\n"
    killed.kill()
    killed.wait(timeout=30)
    killed.stdout.close()
    assert not (tmp_path / "killed" / "index.npz").exists()
    for name in ("killed", "whole"):
        prepare(tmp_path / "raw", tmp_path / name, Options("emg2pose"), say=quiet)
    for path in sorted((tmp_path / "whole").rglob("*.npy")):
        assert path.read_bytes() == (tmp_path / "killed" / "recordings" / path.name).read_bytes()
    a, b = (load_store(tmp_path / name).train for name in ("killed", "whole"))
    assert len(a) == len(b) == 12 * 39
    np.testing.assert_array_equal(a[400][0], b[400][0])


def test_several_processes_give_the_same_store(tmp_path: Path) -> None:
    store, _ = prepared(tmp_path, "db5")
    prepare(tmp_path / "raw", tmp_path / "two", Options("db5", 200, 100), True, jobs=2, say=quiet)
    for name in ("store.json", "recordings/S1_E2_A1.npy"):
        assert (store / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_wrong_options(tmp_path: Path) -> None:
    store, _ = prepared(tmp_path, "db7")
    with pytest.raises(
        TinyMyoError, match="found a store with stride 100, filter filtfilt, allowed the options"
    ):
        prepare(tmp_path / "raw", store, Options("db7", 200, 50, filter="causal"), True, say=quiet)
    with pytest.raises(TinyMyoError, match="--dataset: found db9, allowed db5, db6"):
        complete_options(Options("db9"))
    with pytest.raises(TinyMyoError, match="--window: found -1, allowed above 0"):
        complete_options(Options("db5", window=-1))
    with pytest.raises(TinyMyoError, match="padded_channels: found 8, allowed 12 or more"):
        load_store(store, padded_channels=8)
    with pytest.raises(TinyMyoError, match="--jobs: found 0, allowed above 0"):
        prepare(tmp_path / "raw", store, Options("db7"), jobs=0)
    assert complete_options(Options("db5", window=200)).stride == 50


def test_store_that_cannot_be_written(tmp_path: Path) -> None:
    fill(tmp_path / "raw", "db7")
    (tmp_path / "store").write_text("a file")
    with pytest.raises(TinyMyoError, match=r"store\.json: found no way to write it") as caught:
        prepare(tmp_path / "raw", tmp_path / "store", Options("db7"), True, say=quiet)
    assert caught.value.note.startswith("make room or way, then run prepare again")


@pytest.mark.parametrize("jobs", [1, 2])
def test_broken_recording_is_named(tmp_path: Path, jobs: int) -> None:
    fill(tmp_path / "raw", "epn612")
    path = tmp_path / "raw" / "trainingJSON" / "user1" / "user1.json"
    raw_files.epn_user(path, {"fist": 1}, {}, length=10)
    with pytest.raises(
        TinyMyoError, match=r"user1.json: emg: found 11 samples, allowed 28 or more"
    ) as caught:
        prepare(tmp_path / "raw", tmp_path / "store", Options("epn612"), True, jobs)
    assert caught.value.note == "leave this recording out"


def test_damaged_store(tmp_path: Path) -> None:
    store, _ = prepared(tmp_path, "db8")
    windows = load_store(store).train
    recording, targets = (store / "recordings" / f"S1_E1_A1{suffix}" for suffix in (".npy", ".targets.npy"))
    data = recording.read_bytes()
    recording.write_bytes(data[: len(data) // 2])
    first = windows[0][1]
    with pytest.raises(TinyMyoError, match=r"S1_E1_A1.npy: found \d+ values at a window, allowed 3200"):
        windows[len(windows) - 1]
    recording.write_bytes(b"x" * 100)
    with pytest.raises(TinyMyoError, match=r"S1_E1_A1.npy: found no array"):
        windows[0]
    recording.write_bytes(data)
    targets.unlink()
    with pytest.raises(TinyMyoError, match=r"S1_E1_A1.targets.npy: found no array"):
        windows[0]
    again = Options("db8", 200, 100)
    (store / "recordings" / "S1_E1_A2.npz").write_bytes(b"x")
    prepare(tmp_path / "raw", store, again, True, say=quiet)
    np.testing.assert_array_equal(load_store(store).train[0][1], first)
    index = (store / "index.npz").read_bytes()
    (store / "index.npz").write_bytes(index[:100])
    with pytest.raises(TinyMyoError, match=r"index.npz: found no index"):
        load_store(store)
    manifest = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps({**manifest, "format": 0}))
    with pytest.raises(TinyMyoError, match=r"store.json: found format 0, allowed 1"):
        load_store(store)
    (store / "store.json").write_text("{")
    with pytest.raises(TinyMyoError, match=r"store.json: found no manifest"):
        load_store(store)
    with pytest.raises(TinyMyoError, match=r"found no store.json, allowed a prepared store"):
        load_store(tmp_path / "raw")


READ_ALL = """
import resource, sys
from pathlib import Path
import numpy as np
from examples.tinymyo.data.store import load_store
windows = load_store(Path(sys.argv[1])).train
windows[0]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
total = sum(float(windows[i][0][0, 0]) for i in np.random.default_rng(0).integers(0, len(windows), 3000))
print(len(windows), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_reading_takes_the_memory_of_one_window(tmp_path: Path) -> None:
    """A recording of 256 MB: 3000 windows from all over it raise the peak by less than 8 MB."""
    raw_files.emg2pose(tmp_path / "raw", {"a": "train"})
    options = Options("emg2pose", 1000, 1000, filter="none")
    store = tmp_path / "store"
    prepare(tmp_path / "raw", store, options, say=quiet)
    rows = 4_000_000
    with (store / "recordings" / "a.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, 16)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + rows * 16 * 4)
    with np.load(store / "index.npz") as content:
        index = dict(content)
    count = rows // 1000
    for name in ("start", "valid", "label", "split", "segment", "recording"):
        index[name] = np.repeat(index[name], count)
    index["start"] = np.arange(count) * 1000
    np.savez(store / "index.npz", **index)
    command = [sys.executable, "-c", READ_ALL, str(store)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found, growth_kb = map(int, result.stdout.split())
    assert found == count and growth_kb < 8 * 1024


def test_preparing_takes_the_memory_of_one_recording(tmp_path: Path) -> None:
    peaks = []
    for count in (1, 8):
        raw = tmp_path / f"raw{count}"
        raw_files.emg2pose(raw, {f"r{n}": "train" for n in range(count)}, time=20_000)
        tracemalloc.start()
        prepare(raw, tmp_path / f"store{count}", Options("emg2pose"), say=quiet)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0], peaks
