"""From a raw folder to a store: read, filter, scale and cut one recording at a time."""

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from examples.tinymyo.data.augment import Augment
from examples.tinymyo.data.datasets import DATASETS
from examples.tinymyo.data.filters import FilterName, filter_emg
from examples.tinymyo.data.normalise import Normalise, moments
from examples.tinymyo.data.raw import TRAIN, Source, broken
from examples.tinymyo.data.store import (
    FOLDER,
    FORMAT,
    INDEX,
    MANIFEST,
    read_manifest,
    write_atomically,
    write_manifest,
)
from examples.tinymyo.data.windows import Overlap, cut
from examples.tinymyo.errors import TinyMyoError

CUTS = ("start", "valid", "label", "split", "segment")
MOMENTS = ("count", "mean", "squares")
PARTS = ("train", "val", "test")
# Options that decide what is in the files; the others only decide how they are read.
FIXED = ("dataset", "window", "stride", "rate_hz", "filter", "overlap", "dtype")


@dataclass(frozen=True, slots=True)
class Options:
    """Say how a dataset is prepared; a store holds one answer. Zero takes what the dataset has."""

    dataset: str
    window: int = 0
    stride: int = 0
    rate_hz: float = 0.0
    filter: FilterName = "filtfilt"
    normalise: Normalise = "train"
    overlap: Overlap = "published"
    augment: Augment = "none"
    dtype: Literal["float16", "float32"] = "float32"


@dataclass(frozen=True, slots=True)
class Summary:
    """Count the windows of each part, those that reach into another part, and recordings left out."""

    windows: dict[str, int]
    mixed: int
    recordings: int
    missing: int
    rate_hz: float | None


def complete_options(options: Options, jobs: int = 1) -> Options:
    """Fill in what the dataset has, and check the rest.

    Raises:
        TinyMyoError: an unknown dataset, or a window, stride, rate or jobs below what is possible.
    """
    if options.dataset not in DATASETS:
        allowed = ", ".join(DATASETS)
        raise TinyMyoError(f"--dataset: found {options.dataset}, allowed {allowed}", "choose one of these")
    dataset = DATASETS[options.dataset]
    window = options.window or dataset.samples
    full = dataclasses.replace(
        options,
        window=window,
        stride=options.stride or max(window * dataset.stride // dataset.samples, 1),
        rate_hz=options.rate_hz or dataset.rate_hz,
    )
    checked = {"window": full.window, "stride": full.stride, "rate": full.rate_hz, "jobs": jobs}
    for name, value in checked.items():
        if value <= 0:
            raise TinyMyoError(f"--{name}: found {value}, allowed above 0", "give a positive number")
    return full


def prepare(
    raw: Path,
    store: Path,
    options: Options,
    skip_missing: bool = False,
    jobs: int = 1,
    say: Callable[[str], None] = print,
) -> Summary:
    """Convert a raw folder into a store; recordings that an earlier call finished are kept as they are.

    Memory: one recording for each of `jobs`, and the index of all windows.

    Raises:
        TinyMyoError: wrong options, a missing or broken raw file, a store of other options, or no window.
    """
    options = complete_options(options, jobs)
    dataset = DATASETS[options.dataset]
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "options": dataclasses.asdict(options),
        "channels": dataset.channels,
        "outputs": list(dataset.outputs),
        "complete": False,
    }
    sources = dataset.find(raw)
    present = [source for source in sources if source.path.is_file()]
    missing = [source for source in sources if not source.path.is_file()]
    if missing and not (skip_missing and present):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        found = f"{len(present)} of {len(sources)} recordings, not this one{more}"
        raise broken(
            missing[0].path, found, "all", "fetch what is missing, or give --skip-missing to go without"
        )
    if (store / MANIFEST).exists():
        before = read_manifest(store)["options"]
        differs = [f"{name} {before[name]}" for name in FIXED if before[name] != manifest["options"][name]]
        if differs:
            raise TinyMyoError(
                f"{store}: found a store with {', '.join(differs)}, allowed the options of this call",
                "give another folder, or remove this one",
            )
    write_manifest(store, manifest)
    step = max(len(present) // 100, 1)
    for number, name in enumerate(_run(partial(prepare_one, store, options), present, jobs), start=1):
        if number % step == 0 or number == len(present):
            say(f"{number}/{len(present)} {name}")
    return _finish(store, manifest, present, len(missing))


def _run(work: Callable[[Source], str], sources: list[Source], jobs: int) -> Iterator[str]:
    if jobs == 1:
        yield from map(work, sources)
        return
    with ProcessPoolExecutor(jobs) as pool_of_workers:
        yield from pool_of_workers.map(work, sources)


def prepare_one(store: Path, options: Options, source: Source) -> str:
    """Read, filter, scale, cut and write one recording, unless it is there; return its name.

    Raises:
        TinyMyoError: see `Dataset.read` and `filter_emg`; the file is named.
    """
    done = store / FOLDER / f"{source.name}.npz"
    files = [source.path, *(done.with_name(source.name + suffix) for suffix in (".npy", ".targets.npy"))]
    try:
        with np.load(done) as before:
            if before["bytes"].tolist() == [file.stat().st_size if file.exists() else 0 for file in files]:
                return source.name
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        pass
    dataset = DATASETS[options.dataset]
    recording = dataset.read(source)
    scaled = np.empty(recording.emg.shape, dtype=options.dtype)
    whole, train = [], []
    for low, high in recording.segments:
        try:
            filtered = filter_emg(recording.emg[low:high], options.rate_hz, dataset.band_hz, options.filter)
        except TinyMyoError as error:
            raise TinyMyoError(f"{source.path}: {error}", error.note) from error
        whole.append(moments(filtered))
        train.append(moments(filtered[recording.split[low:high] == TRAIN]))
        scaled[low:high] = (filtered - whole[-1].mean[0]) / whole[-1].deviation[0]
    cuts = cut(recording, dataset.rule, options.window, options.stride, options.overlap)
    content = {name: getattr(cuts, name) for name in CUTS}
    for which, rows in (("whole", whole), ("train", train)):
        for name in MOMENTS:
            content[f"{which}_{name}"] = np.concatenate([getattr(row, name) for row in rows])
    content["mixed"] = np.array(cuts.mixed.sum())
    content["rate_hz"] = np.array(recording.rate_hz or np.nan)
    write_atomically(files[1], lambda file: np.save(file, scaled))
    if recording.targets is not None:
        targets = recording.targets
        write_atomically(files[2], lambda file: np.save(file, targets))
    content["bytes"] = np.array([file.stat().st_size if file.exists() else 0 for file in files])
    write_atomically(done, lambda file: np.savez(file, **content))
    return source.name


def _finish(store: Path, manifest: dict[str, Any], sources: list[Source], missing: int) -> Summary:
    columns: dict[str, list[NDArray[Any]]] = {}
    segments = mixed = 0
    rates = []
    for number, source in enumerate(sources):
        with np.load(store / FOLDER / f"{source.name}.npz") as file:
            one = dict(file)
        here = len(one["whole_count"])
        one["segment"] = one["segment"] + np.int32(segments)
        one["recording"] = np.full(len(one["start"]), number, dtype=np.int32)
        one["group"] = np.full(here, source.group)
        segments += here
        mixed += int(one.pop("mixed"))
        rates.append(float(one.pop("rate_hz")))
        one.pop("bytes")
        for name, array in one.items():
            columns.setdefault(name, []).append(array)
    index: dict[str, Any] = {name: np.concatenate(arrays) for name, arrays in columns.items()}
    windows = {name: int((index["split"] == part).sum()) for part, name in enumerate(PARTS)}
    if not sum(windows.values()):
        raise TinyMyoError(
            f"--window: found no window of {manifest['options']['window']} samples, allowed a shorter one",
            "no run of the recordings is that long; give a smaller --window",
        )
    dataset = DATASETS[manifest["options"]["dataset"]]
    numbered = tuple(str(number) for number in range(int(index["label"].max()) + 1))
    classes = numbered if dataset.classes is None else dataset.classes
    write_atomically(store / INDEX, lambda file: np.savez(file, **index))
    names = [source.name for source in sources]
    complete = {**manifest, "complete": True, "classes": classes, "windows": windows, "recordings": names}
    write_manifest(store, complete)
    rate_hz = None if np.isnan(rates).all() else float(np.nanmedian(rates))
    return Summary(windows, mixed, len(names), missing, rate_hz)
