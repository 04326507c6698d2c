"""Readers of the raw formats: what they return, and what they say of broken files."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from examples.tinymyo.data import emg2pose, epn, ninapro, uci
from examples.tinymyo.data.datasets import DATASETS
from examples.tinymyo.data.raw import TEST, TRAIN, UNUSED, VAL, Recording, Source
from examples.tinymyo.errors import TinyMyoError
from tests.examples.data import raw_files
from tests.examples.data.raw_files import MOVE, REST

EACH = MOVE + REST


def source(path: Path, name: str = "", group: str = "g") -> Source:
    return Source(name or path.stem, path, group)


def of(sources: list[Source], name: str) -> Source:
    return next(one for one in sources if one.name == name)


@pytest.mark.parametrize(("exercise", "offset", "movements"), [("E1", 0, 12), ("E2", 12, 17), ("E3", 29, 23)])
def test_db5(tmp_path: Path, exercise: str, offset: int, movements: int) -> None:
    raw_files.ninapro(tmp_path / "s1" / f"s1_{exercise.lower()}_a1.mat", 16, 6, (1, movements))
    sources = ninapro.find_db5(tmp_path)
    assert len(sources) == 30
    recording = ninapro.read_db5(of(sources, f"S1_{exercise}_A1"))
    assert recording.emg.shape == (12 * EACH, 16) and recording.emg.dtype == np.float32
    assert set(recording.labels.tolist()) == {0, 1 + offset, movements + offset}
    parts = recording.split.reshape(2, 6, EACH)
    assert (parts == np.array([TRAIN, TRAIN, TEST, VAL, TRAIN, VAL])[None, :, None]).all()
    assert len(ninapro.DB5_CLASSES) == 53 and ninapro.DB5_CLASSES[0] == "rest"


def test_db5_label_beyond_its_exercise(tmp_path: Path) -> None:
    path = raw_files.ninapro(tmp_path / "S1_E1_A1.mat", 16, 1, (13,))
    with pytest.raises(TinyMyoError, match=r"S1_E1_A1.mat: found restimulus 13, allowed 0 to 12 in E1"):
        ninapro.read_db5(source(path))


def test_db6_leaves_out_the_empty_channels(tmp_path: Path) -> None:
    path = raw_files.ninapro(tmp_path / "DB6_s2_a" / "S2_D5_T2.mat", 16, 12, (1, 11))
    sources = ninapro.find_db6(tmp_path)
    assert len(sources) == 100
    recording = ninapro.read_db6(of(sources, "S2_D5_T2"))
    kept = [c for c in range(16) if c not in (8, 9)]
    np.testing.assert_array_equal(recording.emg, loadmat(path)["emg"][:, kept])
    assert set(recording.labels.tolist()) == {0, 1, 7} and ninapro.DB6_CLASSES[7] == "grasp 11"
    parts = recording.split.reshape(2, 12, EACH)[:, :, 0]
    assert (parts == [TRAIN] * 8 + [VAL] * 2 + [TEST] * 2).all()


def test_db6_label_in_a_gap(tmp_path: Path) -> None:
    path = raw_files.ninapro(tmp_path / "S1_D1_T1.mat", 16, 1, (5,))
    with pytest.raises(TinyMyoError, match="found restimulus 5, allowed 0, 1, 3, 4, 6, 9, 10, 11"):
        ninapro.read_db6(source(path))


def test_db7(tmp_path: Path) -> None:
    raw_files.ninapro(tmp_path / "Subject_22" / "S22_E2_A1.mat", 12, 7, (18,))
    sources = ninapro.find_db7(tmp_path)
    assert len(sources) == 44
    recording = ninapro.read_db7(of(sources, "S22_E2_A1"))
    assert recording.emg.shape[1] == 12 and recording.labels.max() == 18
    assert recording.split.reshape(7, EACH)[:, 0].tolist() == [TRAIN] * 4 + [VAL, TEST, UNUSED]


def test_db8_maps_angles_and_leaves_out_unknown_rows(tmp_path: Path) -> None:
    for session in (1, 2, 3):
        raw_files.db8(tmp_path / f"S12_E1_A{session}.mat")
    sources = [one for one in ninapro.find_db8(tmp_path) if one.path.is_file()]
    assert [one.group for one in sources] == ["S12"] * 3
    recordings = [ninapro.read_db8(one) for one in sources]
    assert [one.split[0] for one in recordings] == [TRAIN, VAL, TEST]
    glove = loadmat(sources[0].path)["glove"]
    glove = np.delete(glove, np.arange(10, 20), axis=0)
    targets = recordings[0].targets
    assert targets is not None and targets.shape == (590, 5) and recordings[0].emg.shape == (590, 16)
    np.testing.assert_allclose(targets[:, 1], glove[:, 2], rtol=1e-6)
    np.testing.assert_allclose(targets[:, 2], 0.4 * glove[:, 4] + 0.6 * glove[:, 5], rtol=1e-6)
    thumb = 0.639 * (glove[:, 0] - glove[:, 3]) + 0.383 * glove[:, 1] - 0.19 * glove[:, 16]
    np.testing.assert_allclose(targets[:, 0], thumb, rtol=1e-5, atol=1e-4)
    both = glove[:, 9] + glove[:, 12] + 2 * (glove[:, 10] + glove[:, 13])
    np.testing.assert_allclose(targets[:, 4], both / 6, rtol=1e-3)


def test_db8_without_a_complete_row(tmp_path: Path) -> None:
    savemat(tmp_path / "S1_E1_A1.mat", {"emg": np.ones((5, 16)), "glove": np.full((5, 18), np.nan)})
    with pytest.raises(TinyMyoError, match="found glove without one complete row"):
        ninapro.read_db8(source(tmp_path / "S1_E1_A1.mat"))


def test_epn612(tmp_path: Path) -> None:
    place = tmp_path / "EMG-EPN612 Dataset"
    counts = {"fist": 12, "noGesture": 3, "notProvided": 1}
    raw_files.epn_user(place / "trainingJSON" / "user7" / "user7.json", counts, {"waveIn": 2})
    path = raw_files.epn_user(place / "testingJSON" / "user7" / "user7.json", counts, {"notProvided": 2})
    sources = epn.find(tmp_path)
    assert len(sources) == 612
    user = epn.read(of(sources, "training_user7"))
    first = [(int(user.labels[low]), int(user.split[low])) for low, _ in user.segments]
    assert first == [(5, TRAIN)] * 12 + [(0, TRAIN)] * 3 + [(1, VAL)] * 2
    assert [high - low for low, high in user.segments][:3] == [151, 152, 153]
    tested = epn.read(of(sources, "testing_user7"))
    first = [(int(tested.labels[low]), int(tested.split[low])) for low, _ in tested.segments]
    assert first == [(5, TRAIN)] * 10 + [(5, TEST)] * 2 + [(0, TRAIN)] * 3
    raw = json.loads(path.read_text())["trainingSamples"]["idx_1"]["emg"]["ch8"]
    np.testing.assert_array_equal(tested.emg[: len(raw), 7] * 128, raw)


def test_uci_leaves_out_class_0_and_measures_the_rate(tmp_path: Path) -> None:
    raw_files.uci(tmp_path / "EMG_data" / "25" / "1_raw_data_10-55_12.04.16.txt", (1, 7))
    sources = uci.find(tmp_path)
    assert len(sources) == 72 and {one.group for one in sources} == {"all"}
    recording = uci.read(of(sources, "25_1"))
    assert recording.labels.tolist() == [0] * 400 + [6] * 400 and set(recording.split.tolist()) == {VAL}
    assert recording.rate_hz == pytest.approx(1000)
    assert not of(sources, "25_2").path.exists()
    parts = []
    for subject in (1, 24, 30, 31, 36):
        parts.append(uci.read(Source(f"{subject:02}_1", of(sources, "25_1").path, "all")).split[0])
    assert parts == [TRAIN, TRAIN, VAL, TEST, TEST]


def test_emg2pose(tmp_path: Path) -> None:
    raw_files.emg2pose(tmp_path / "data", {"a-left": "train", "b-right": "val", "c": "test"})
    sources = emg2pose.find(tmp_path)
    assert [one.name for one in sources] == ["a-left", "b-right", "c"]
    recordings = [emg2pose.read(one) for one in sources]
    assert [one.split[0] for one in recordings] == [TRAIN, VAL, TEST]
    np.testing.assert_array_equal(recordings[1].emg, raw_files.emg(1200, 16, 1).astype(np.float32))


READ: dict[str, Callable[[Source], Recording]] = {name: one.read for name, one in DATASETS.items()}


def whole_file(folder: Path, dataset: str) -> Source:
    if dataset in ("db5", "db6", "db7"):
        path = folder / "S1_E1_A1.mat"
        return source(raw_files.ninapro(path, {"db5": 16, "db6": 16, "db7": 12}[dataset], 6))
    if dataset == "db8":
        return source(raw_files.db8(folder / "S1_E1_A1.mat"))
    if dataset == "epn612":
        return source(raw_files.epn_user(folder / "user1.json", {"fist": 2}, {}), "training_user1")
    if dataset == "uci":
        return source(raw_files.uci(folder / "1_raw.txt"), "01_1")
    raw_files.emg2pose(folder, {"a": "train"})
    return source(folder / "a.hdf5", "a", "train")


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name != "uci"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_truncated_file(tmp_path: Path, dataset: str, part: float) -> None:
    one = whole_file(tmp_path, dataset)
    READ[dataset](one)
    data = one.path.read_bytes()
    one.path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(TinyMyoError, match=str(one.path)) as caught:
        READ[dataset](one)
    assert caught.value.note


@pytest.mark.parametrize("dataset", list(DATASETS))
def test_file_of_other_bytes(tmp_path: Path, dataset: str) -> None:
    one = whole_file(tmp_path, dataset)
    one.path.write_bytes(np.random.default_rng(0).bytes(4000))
    with pytest.raises(TinyMyoError, match=str(one.path)):
        READ[dataset](one)


def test_damaged_matlab_files_never_escape(tmp_path: Path) -> None:
    one = whole_file(tmp_path, "db7")
    data = bytearray(one.path.read_bytes())
    random = np.random.default_rng(0)
    for _ in range(60):
        changed = bytearray(data)
        for at in random.integers(0, len(data), 20):
            changed[at] ^= int(random.integers(1, 256))
        one.path.write_bytes(changed)
        try:
            ninapro.read_db7(one)
        except TinyMyoError as error:
            assert str(one.path) in str(error)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emg": None}, "found no variable emg, allowed emg, restimulus, rerepetition"),
        ({"emg": np.zeros((4, 10))}, r"found emg \(4, 10\) of float64, allowed numbers \(time, 12\)"),
        (
            {"emg": np.zeros((0, 12)), "restimulus": np.zeros((0, 1)), "rerepetition": np.zeros((0, 1))},
            "rows",
        ),
        ({"emg": np.full((4, 12), "x", dtype=object)}, "of object"),
        ({"restimulus": np.zeros((3, 1))}, r"found rows \{'emg': 4, 'restimulus': 3, 'rerepetition': 4\}"),
        ({"restimulus": np.full((4, 1), -1)}, "found restimulus -1, allowed 0 or more"),
    ],
)
def test_matlab_file_of_another_content(tmp_path: Path, change: dict[str, object], message: str) -> None:
    content = {"emg": np.zeros((4, 12)), "restimulus": np.zeros((4, 1)), "rerepetition": np.ones((4, 1))}
    kept = {name: value for name, value in {**content, **change}.items() if value is not None}
    savemat(tmp_path / "S1_E1_A1.mat", kept)
    with pytest.raises(TinyMyoError, match=message):
        ninapro.read_db7(source(tmp_path / "S1_E1_A1.mat"))


def test_matlab_7_3(tmp_path: Path) -> None:
    path = tmp_path / "S1_E1_A1.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["emg"] = np.zeros((12, 4))
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(head + path.read_bytes()[len(head) :])
    with pytest.raises(TinyMyoError, match=r"found a MATLAB 7\.3 file") as caught:
        ninapro.read_db7(source(path))
    assert "-v7" in caught.value.note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time\n", "0 rows without 10 columns of 0"),
        ("h\n1 2 3\n1 2\n1 2 3 4 5 6 7 8 9 1\n1 2 3 4 5 6 7 8 9 1\n", "2 rows without 10 columns of 4"),
        ("h\n1 2 3 4 5 6 7 8 9 x\n1 2 3 4 5 6 7 8 9 1\n", "text in a row"),
        ("h\n1 2 3 4 5 6 7 8 9 0\n2 2 3 4 5 6 7 8 9 0\n", r"classes \[0.0\]"),
        ("h\n1 2 3 4 5 6 7 8 9 8\n2 2 3 4 5 6 7 8 9 1\n", r"classes \[1.0, 8.0\]"),
    ],
)
def test_uci_file_of_another_content(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "1.txt").write_text(text)
    with pytest.raises(TinyMyoError, match=message):
        uci.read(source(tmp_path / "1.txt", "01_1"))


def test_epn612_without_a_known_gesture(tmp_path: Path) -> None:
    path = raw_files.epn_user(tmp_path / "user1.json", {"notProvided": 2}, {})
    with pytest.raises(TinyMyoError, match=r"user1\.json: found no sample with a known gesture"):
        epn.read(source(path, "testing_user1"))


def test_emg2pose_of_another_width(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        rows = np.zeros(5, dtype=[("emg", "<f4", (8,))])
        file.create_dataset("emg2pose/timeseries", data=rows)
    with pytest.raises(TinyMyoError, match=r"a.hdf5: found emg \(5, 8\), allowed \(time, 16\)"):
        emg2pose.read(source(tmp_path / "a.hdf5", "a", "train"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename,part\na,train\n", "no readable table"),
        ("filename,split\na,dev\n", "found split dev, allowed train"),
    ],
)
def test_emg2pose_metadata_of_another_content(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "metadata.csv").write_text(text)
    with pytest.raises(TinyMyoError, match=message):
        emg2pose.find(tmp_path)


@pytest.mark.parametrize("dataset", list(DATASETS))
def test_empty_or_missing_raw_folder(tmp_path: Path, dataset: str) -> None:
    with pytest.raises(TinyMyoError, match="--raw: found no") as caught:
        DATASETS[dataset].find(tmp_path / "nowhere")
    assert caught.value.note == "unpack the dataset there"


def test_two_files_of_one_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        raw_files.ninapro(tmp_path / folder / "S1_E1_A1.mat", 16, 1)
    with pytest.raises(TinyMyoError, match="found a second file of the name"):
        ninapro.find_db5(tmp_path)
