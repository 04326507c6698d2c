"""A prepared dataset on disk, and its windows, each read from its file when it is asked for.

    store.json                  what was asked for, and a summary once everything is there
    recordings/NAME.npy         one recording (time, channels), filtered, z-scored over each segment
    recordings/NAME.targets.npy its targets (time, outputs), where there are some
    recordings/NAME.npz         its windows and moments; written last, so it says the recording is done
    index.npz                   the windows and moments of all recordings

Windows overlap, so recordings are stored and windows are slices of them: at stride 250 of 1000 that is a
quarter of the disk space. Reading takes the memory of the index, 23 bytes a window, and of one window.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from examples.tinymyo.data.augment import VIEWS, Augment, augment
from examples.tinymyo.data.normalise import Moments, Normalise, scale_and_shift, to_unit_range
from examples.tinymyo.data.raw import TEST, TRAIN, VAL
from examples.tinymyo.data.sets import Label, Splits
from examples.tinymyo.errors import TinyMyoError

FORMAT = 1
MANIFEST, INDEX, FOLDER = "store.json", "index.npz", "recordings"
AGAIN = "run prepare again; it redoes only what is missing"


def write_atomically(path: Path, save: Any) -> None:
    """Write a file with `save(file)` under another name and rename it: it is there whole or not at all.

    Raises:
        TinyMyoError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            save(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise TinyMyoError(
            f"{path}: found no way to write it ({error})", f"make room or way, then {AGAIN}"
        ) from error


def write_manifest(store: Path, manifest: Mapping[str, Any]) -> None:
    """Write store.json."""
    text = json.dumps(manifest, indent=2) + "\n"
    write_atomically(store / MANIFEST, lambda file: file.write(text.encode()))


def read_manifest(store: Path) -> dict[str, Any]:
    """Read store.json.

    Raises:
        TinyMyoError: there is none, or not of this format.
    """
    path = store / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        found = manifest["format"]
    except OSError as error:
        raise TinyMyoError(
            f"{store}: found no {MANIFEST}, allowed a prepared store", "run prepare first"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        remedy = "remove the folder and prepare it again"
        raise TinyMyoError(
            f"{path}: found no manifest ({error}), allowed one of format {FORMAT}", remedy
        ) from error
    if found != FORMAT:
        remedy = "remove the folder and prepare it again"
        raise TinyMyoError(f"{path}: found format {found}, allowed {FORMAT}", remedy)
    return manifest


class StoreWindows:
    """Give the windows of one part of a store; see `WindowSet`."""

    def __init__(
        self,
        store: Path,
        manifest: Mapping[str, Any],
        index: Mapping[str, NDArray[Any]],
        split: int,
        mode: Normalise,
        padded_channels: int,
    ) -> None:
        self.channels: int = manifest["channels"]
        self.samples: int = manifest["options"]["window"]
        self.classes: tuple[str, ...] = tuple(manifest["classes"])
        self.outputs: tuple[str, ...] = tuple(manifest["outputs"])
        self.padded_channels = padded_channels
        self._folder = store / FOLDER
        self._names: list[str] = manifest["recordings"]
        self._dtype = np.dtype(manifest["options"]["dtype"])
        self._mode: Normalise = mode
        rows = np.flatnonzero(index["split"] == split)
        self._start, self._valid, self._label = (index[name][rows] for name in ("start", "valid", "label"))
        self._recording, self._segment = index["recording"][rows], index["segment"][rows]
        whole, train = (
            Moments(*(index[f"{which}_{name}"] for name in ("count", "mean", "squares")))
            for which in ("whole", "train")
        )
        self._scale, self._shift = scale_and_shift(mode, whole, train, index["group"].tolist())
        chosen: Augment = manifest["options"]["augment"]
        self._views = VIEWS[chosen] if split == TRAIN else 1

    def __len__(self) -> int:
        return len(self._start) * self._views

    def real_channels(self, index: int) -> int:
        """Return the channels of the dataset, the same for every window."""
        return self.channels

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Label]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        view, row = divmod(index, len(self._start))
        segment, valid = self._segment[row], int(self._valid[row])
        stored = self._read(row, ".npy", self._dtype, self.channels)
        window = np.zeros((self.padded_channels, self.samples), dtype=np.float32)
        window[: self.channels, :valid] = (stored * self._scale[segment] + self._shift[segment]).T
        window[: self.channels] = augment(window[: self.channels], row, view)
        if self._mode == "window":
            window[:, :valid] = to_unit_range(window[:, :valid])
        if self.outputs:
            targets = np.zeros((self.samples, len(self.outputs)), dtype=np.float32)
            targets[:valid] = self._read(row, ".targets.npy", np.dtype("float32"), len(self.outputs))
            return window, targets
        return window, int(self._label[row]) if self.classes else None

    def _read(self, row: int, suffix: str, dtype: np.dtype[Any], columns: int) -> NDArray[np.float32]:
        """Read the samples of one window, straight from their place: no file stays open or mapped."""
        path = self._folder / (self._names[self._recording[row]] + suffix)
        count = int(self._valid[row]) * columns
        try:
            with path.open("rb") as file:
                np.lib.format.read_magic(file)
                np.lib.format.read_array_header_1_0(file)
                offset = int(self._start[row]) * columns * dtype.itemsize
                values = np.fromfile(file, dtype, count, offset=offset)
        except (OSError, ValueError) as error:
            raise TinyMyoError(f"{path}: found no array ({error}), allowed one of prepare", AGAIN) from error
        if len(values) != count:
            raise TinyMyoError(f"{path}: found {len(values)} values at a window, allowed {count}", AGAIN)
        return values.reshape(-1, columns).astype(np.float32)


def load_store(path: Path, normalise: Normalise | None = None, padded_channels: int | None = None) -> Splits:
    """Open a prepared dataset, normalised as it was prepared unless told otherwise.

    Raises:
        TinyMyoError: no complete store, too few padded channels, or see `scale_and_shift`.
    """
    manifest = read_manifest(path)
    try:
        if not manifest["complete"]:
            raise TinyMyoError(f"{path}: found a store that is not complete, allowed a complete one", AGAIN)
        with np.load(path / INDEX) as content:
            index = dict(content)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise TinyMyoError(
            f"{path / INDEX}: found no index ({error}), allowed one of prepare", AGAIN
        ) from error
    mode: Normalise = normalise or manifest["options"]["normalise"]
    padded = padded_channels or manifest["channels"]
    if padded < manifest["channels"]:
        raise TinyMyoError(
            f"padded_channels: found {padded}, allowed {manifest['channels']} or more", "raise the count"
        )
    parts = (StoreWindows(path, manifest, index, part, mode, padded) for part in (TRAIN, VAL, TEST))
    return Splits(*parts)
