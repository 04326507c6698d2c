"""EMG2Pose: one HDF5 file per session and hand, 16 channels at 2 kHz, and a metadata.csv that lists them.

`emg2pose/timeseries` is a compound dataset with the fields time, emg (16) and joint_angles (20). metadata.csv
has the columns filename and split, among others (https://github.com/facebookresearch/emg2pose).
"""

import csv
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np

from examples.tinymyo.data.raw import TEST, TRAIN, VAL, Recording, Source, broken
from examples.tinymyo.errors import TinyMyoError

CHANNELS = 16
METADATA = "metadata.csv"
PARTS = {"train": TRAIN, "val": VAL, "test": TEST}


def find(raw: Path) -> list[Source]:
    """List the files that metadata.csv names; those of one part are one group.

    Raises:
        TinyMyoError: no metadata.csv, a column that is not there, or an unknown part.
    """
    path = next(iter(sorted(raw.rglob(METADATA))), raw / METADATA)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(row["filename"], row["split"]) for row in csv.DictReader(file)]
    except OSError as error:
        raise TinyMyoError(
            f"--raw: found no {METADATA} in {raw}, allowed one", "unpack the dataset there"
        ) from error
    except (KeyError, ValueError) as error:
        raise broken(path, f"no readable table ({error})", "columns filename and split") from error
    if unknown := sorted({str(part) for _, part in rows} - set(PARTS)):
        raise broken(path, f"split {unknown[0]}", ", ".join(PARTS))
    return [Source(name, path.parent / f"{name}.hdf5", part) for name, part in rows]


def read(source: Source) -> Recording:
    """Read the EMG of one file, unlabelled.

    Raises:
        TinyMyoError: no such HDF5 file.
    """
    try:
        with h5py.File(source.path, "r") as file:
            emg = np.asarray(file["emg2pose"]["timeseries"]["emg"], dtype=np.float32)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise broken(source.path, f"no readable session ({error})", "emg2pose/timeseries with emg") from error
    if emg.ndim != 2 or emg.shape[1] != CHANNELS or not len(emg):
        raise broken(source.path, f"emg {emg.shape}", f"(time, {CHANNELS})")
    part = np.full(len(emg), PARTS[source.group], dtype=np.int8)
    return Recording(emg, np.zeros(len(emg), dtype=np.int16), part, ((0, len(emg)),))
