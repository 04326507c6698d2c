"""A recording as every reader returns it, and how its file is found and opened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat  # type: ignore[import-untyped]

from examples.tinymyo.errors import TinyMyoError

TRAIN, VAL, TEST, UNUSED = 0, 1, 2, -1
FETCH = "fetch the file again and compare its size with the published one"


@dataclass(frozen=True, slots=True)
class Source:
    """Name one raw file; files of one `group` are normalised with the training samples of that group."""

    name: str
    path: Path
    group: str


@dataclass(frozen=True, slots=True)
class Recording:
    """Hold one raw file as samples in time.

    `emg` is (time, channels) as recorded; `labels` and `split` have one entry per sample, `split` a part or
    UNUSED. Each of `segments` (start, stop) is filtered and z-scored for itself, and no window crosses one.
    `targets` is (time, outputs) for regression. `rate_hz` is what a time column says, where there is one.
    """

    emg: NDArray[np.float32]
    labels: NDArray[np.int16]
    split: NDArray[np.int8]
    segments: tuple[tuple[int, int], ...]
    targets: NDArray[np.float32] | None = None
    rate_hz: float | None = None


def broken(path: Path, found: str, allowed: str, remedy: str = FETCH) -> TinyMyoError:
    """Return the error for a raw file that is not what its dataset documents."""
    return TinyMyoError(f"{path}: found {found}, allowed {allowed}", remedy)


def locate(raw: Path, names: Iterable[str]) -> dict[str, Path]:
    """Find files by name, in any letter case, anywhere under `raw`; what is not there maps to its place.

    Raises:
        TinyMyoError: no such folder, or two files of one name.
    """
    if not raw.is_dir():
        raise TinyMyoError(
            f"--raw: found no folder {raw}, allowed an existing one", "unpack the dataset there"
        )
    found: dict[str, Path] = {}
    for path in sorted(raw.rglob("*")):
        other = found.setdefault(path.name.lower(), path)
        if other != path and path.suffix == ".mat":
            raise broken(path, f"a second file of the name, beside {other}", "one", "remove one of them")
    return {name: found.get(name.lower(), raw / name) for name in names}


def read_mat(path: Path, columns: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
    """Read variables of a MATLAB 5 file, each (time, columns), one row per sample.

    Raises:
        TinyMyoError: a file that cannot be read, a variable that is not there, or wrong shapes.
    """
    try:
        content = loadmat(path, variable_names=list(columns))
    except NotImplementedError as error:
        remedy = "convert it in MATLAB: load, then save with the option -v7"
        raise broken(path, "a MATLAB 7.3 file", "MATLAB 5 to 7", remedy) from error
    except Exception as error:  # Cut or changed bytes make the reader fail in any way there is.
        raise broken(path, f"no readable MATLAB file ({error})", "MATLAB 5 to 7") from error
    arrays = {}
    for name, width in columns.items():
        if name not in content:
            raise broken(path, f"no variable {name}", ", ".join(columns))
        array = np.asarray(content[name])
        if array.ndim != 2 or array.shape[1] != width or array.dtype.kind not in "iuf":
            raise broken(path, f"{name} {array.shape} of {array.dtype}", f"numbers (time, {width})")
        arrays[name] = array
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or not all(lengths.values()):
        raise broken(path, f"rows {lengths}", "one count above 0")
    return arrays
