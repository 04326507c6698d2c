"""NinaPro DB5, DB6, DB7 and DB8: MATLAB files, one per subject and exercise or session.

Variables: `emg` (time, channels), `restimulus` and `rerepetition` (time, 1), and in DB8 `glove` (time, 18) in
degrees. File names and sensors: https://ninapro.hevs.ch/instructions/DB5.html, and the same for DB6 to DB8.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.tinymyo.data.raw import TEST, TRAIN, UNUSED, VAL, Recording, Source, broken, locate, read_mat

# Part of each repetition.
DB5_PARTS = {1: TRAIN, 2: TRAIN, 3: TEST, 4: VAL, 5: TRAIN, 6: VAL}
DB6_PARTS = {**dict.fromkeys(range(1, 9), TRAIN), 9: VAL, 10: VAL, 11: TEST, 12: TEST}
DB7_PARTS = {1: TRAIN, 2: TRAIN, 3: TRAIN, 4: TRAIN, 5: VAL, 6: TEST}
DB8_PARTS = {"A1": TRAIN, "A2": VAL, "A3": TEST}
# Movements of earlier exercises, so that DB5 has one numbering: 12 + 17 + 23 movements, and 0 for rest.
DB5_OFFSETS = {"E1": 0, "E2": 12, "E3": 29}
DB5_MOVEMENTS = {"E1": 12, "E2": 17, "E3": 23}
DB5_CLASSES = ("rest", *(f"movement {n}" for n in range(1, 53)))
DB6_EMPTY_CHANNELS = (8, 9)
# The files number the seven grasps with gaps.
DB6_NUMBERS = (0, 1, 3, 4, 6, 9, 10, 11)
DB6_CLASSES = ("rest", *(f"grasp {n}" for n in DB6_NUMBERS[1:]))
DB8_OUTPUTS = (
    "thumb rotation",
    "thumb flexion",
    "index flexion",
    "middle flexion",
    "ring and little flexion",
)
# From 18 glove angles to 5 degrees of actuation: Krasoulis, Vijayakumar and Nazarpour, Frontiers in
# Neuroscience 13:891 (2019), supplement, Eq. S2. (angle, output, weight); the other angles count for nothing.
DB8_WEIGHTS = (
    (0, 0, 0.639),
    (1, 0, 0.383),
    (3, 0, -0.639),
    (16, 0, -0.19),
    (2, 1, 1.0),
    (4, 2, 0.4),
    (5, 2, 0.6),
    (6, 3, 0.4),
    (7, 3, 0.6),
    (9, 4, 0.1667),
    (10, 4, 0.3333),
    (12, 4, 0.1667),
    (13, 4, 0.3333),
)
GLOVE_ANGLES = 18


def find_db5(raw: Path) -> list[Source]:
    """List 10 subjects x 3 exercises."""
    return _sources(raw, [f"S{s}_E{e}_A1" for s in range(1, 11) for e in (1, 2, 3)])


def find_db6(raw: Path) -> list[Source]:
    """List 10 subjects x 5 days x 2 times of the day."""
    return _sources(raw, [f"S{s}_D{d}_T{t}" for s in range(1, 11) for d in range(1, 6) for t in (1, 2)])


def find_db7(raw: Path) -> list[Source]:
    """List 22 subjects x 2 exercises."""
    return _sources(raw, [f"S{s}_E{e}_A1" for s in range(1, 23) for e in (1, 2)])


def find_db8(raw: Path) -> list[Source]:
    """List 12 subjects x 3 sessions; a subject is a group, for only session A1 trains."""
    names = [f"S{s}_E1_A{a}" for s in range(1, 13) for a in (1, 2, 3)]
    return [Source(one.name, one.path, one.name.split("_")[0]) for one in _sources(raw, names)]


def _sources(raw: Path, names: list[str]) -> list[Source]:
    places = locate(raw, [f"{name}.mat" for name in names])
    return [Source(name, places[f"{name}.mat"], name) for name in names]


def read_db5(source: Source) -> Recording:
    """Read one exercise: 16 channels, 53 classes over all exercises."""
    exercise = source.name.split("_")[1]
    emg, labels, repetitions = _labelled(source.path, 16)
    if labels.max() > DB5_MOVEMENTS[exercise]:
        allowed = f"0 to {DB5_MOVEMENTS[exercise]} in {exercise}"
        raise broken(source.path, f"restimulus {labels.max()}", allowed)
    shifted = np.where(labels > 0, labels + DB5_OFFSETS[exercise], 0)
    return _recording(emg, shifted, _parts(repetitions, DB5_PARTS))


def read_db6(source: Source) -> Recording:
    """Read one session: 16 channels, two of them without an electrode; classes without gaps."""
    emg, labels, repetitions = _labelled(source.path, 16)
    if unknown := sorted({*labels.tolist()} - {*DB6_NUMBERS}):
        raise broken(source.path, f"restimulus {unknown[0]}", ", ".join(map(str, DB6_NUMBERS)))
    classes = np.searchsorted(DB6_NUMBERS, labels)
    return _recording(np.delete(emg, DB6_EMPTY_CHANNELS, axis=1), classes, _parts(repetitions, DB6_PARTS))


def read_db7(source: Source) -> Recording:
    """Read one exercise: 12 channels; labels as in the file."""
    emg, labels, repetitions = _labelled(source.path, 12)
    return _recording(emg, labels, _parts(repetitions, DB7_PARTS))


def read_db8(source: Source) -> Recording:
    """Read one session: 16 channels and 5 outputs in degrees; samples without a glove value are left out."""
    content = read_mat(source.path, {"emg": 16, "glove": GLOVE_ANGLES})
    known = ~np.isnan(content["glove"]).any(axis=1)
    if not known.any():
        raise broken(source.path, "glove without one complete row", "angles in degrees")
    weights = np.zeros((GLOVE_ANGLES, len(DB8_OUTPUTS)))
    for angle, output, weight in DB8_WEIGHTS:
        weights[angle, output] = weight
    emg = content["emg"][known]
    split = np.full(len(emg), DB8_PARTS[source.name.split("_")[2]])
    targets = (content["glove"][known] @ weights).astype(np.float32)
    return _recording(emg, np.zeros(len(emg)), split, targets)


def _labelled(path: Path, channels: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    content = read_mat(path, {"emg": channels, "restimulus": 1, "rerepetition": 1})
    labels = content["restimulus"].ravel().astype(np.int64)
    if labels.min() < 0:
        raise broken(path, f"restimulus {labels.min()}", "0 or more")
    return content["emg"], labels, content["rerepetition"].ravel().astype(np.int64)


def _parts(repetitions: NDArray[np.int64], parts: dict[int, int]) -> NDArray[np.int64]:
    table = np.full(max(*parts, repetitions.max()) + 1, UNUSED)
    table[list(parts)] = list(parts.values())
    return table[np.maximum(repetitions, 0)]


def _recording(
    emg: NDArray[np.float64],
    labels: NDArray[np.generic],
    split: NDArray[np.int64],
    targets: NDArray[np.float32] | None = None,
) -> Recording:
    whole = ((0, len(emg)),)
    return Recording(
        emg.astype(np.float32), labels.astype(np.int16), split.astype(np.int8), whole, targets=targets
    )
