"""UCI "EMG data for gestures": two text files in each of the folders 01 to 36, 8 channels of a Myo armband.

A heading, then rows of time in ms, 8 channels, class. Class 0 is unmarked; 1 to 6 are gestures of all
subjects, 7 (extended palm) of some (https://archive.ics.uci.edu/dataset/481/emg+data+for+gestures).
"""

from pathlib import Path

import numpy as np

from examples.tinymyo.data.raw import TEST, TRAIN, VAL, Recording, Source, broken
from examples.tinymyo.errors import TinyMyoError

SUBJECTS = 36
FILES = 2
COLUMNS = 10
LAST_TRAIN, LAST_VAL = 24, 30
CLASSES = (
    "rest",
    "fist",
    "wrist flexion",
    "wrist extension",
    "radial deviation",
    "ulnar deviation",
    "open palm",
)


def find(raw: Path) -> list[Source]:
    """List two files for each of 36 subjects; all training subjects are one group.

    Raises:
        TinyMyoError: no folder of a subject.
    """
    folders = {path.name: path for path in sorted(raw.rglob("[0-3][0-9]"), reverse=True) if path.is_dir()}
    if not folders:
        raise TinyMyoError(
            f"--raw: found no folder 01 to 36 in {raw}, allowed one", "unpack the dataset there"
        )
    sources = []
    for subject in range(1, SUBJECTS + 1):
        folder = folders.get(f"{subject:02}", raw / f"{subject:02}")
        files = sorted(folder.glob("*.txt"))[:FILES]
        missing = [folder / f"{n}_raw_data.txt" for n in range(len(files) + 1, FILES + 1)]
        for number, path in enumerate([*files, *missing], start=1):
            sources.append(Source(f"{subject:02}_{number}", path, "all"))
    return sources


def read(source: Source) -> Recording:
    """Read one file; unmarked rows are left out, so that what follows them stands beside what came before.

    Raises:
        TinyMyoError: rows that are not ten numbers (one is allowed: the published files have such a row),
            an unknown class, or no marked row.
    """
    lines = [
        line.split() for line in source.path.read_text(errors="replace").splitlines()[1:] if line.strip()
    ]
    whole = [line for line in lines if len(line) == COLUMNS]
    if len(whole) < len(lines) - 1 or len(whole) < 2:
        found = f"{len(lines) - len(whole)} rows without {COLUMNS} columns of {len(lines)}"
        raise broken(source.path, found, "time, 8 channels, class")
    try:
        table = np.array(whole, dtype=np.float64)
    except ValueError as error:
        raise broken(source.path, f"text in a row ({error})", "numbers") from error
    classes = table[:, -1]
    marked = table[classes > 0]
    if not len(marked) or not np.isin(classes, np.arange(len(CLASSES) + 1)).all():
        raise broken(source.path, f"classes {np.unique(classes).tolist()}", "0 to 7, not only 0")
    subject = int(source.name[:2])
    part = TRAIN if subject <= LAST_TRAIN else VAL if subject <= LAST_VAL else TEST
    milliseconds = table[-1, 0] - table[0, 0]
    return Recording(
        marked[:, 1:-1].astype(np.float32),
        (marked[:, -1] - 1).astype(np.int16),
        np.full(len(marked), part, dtype=np.int8),
        ((0, len(marked)),),
        rate_hz=float((len(table) - 1) * 1000 / milliseconds) if milliseconds > 0 else None,
    )
