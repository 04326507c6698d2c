"""Small raw files in the published formats of the seven datasets."""

import csv
import json
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

MOVE, REST = 300, 100


def emg(time: int, channels: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng((seed, channels)).standard_normal((time, channels))


def repetitions(count: int, movements: tuple[int, ...] = (1,)) -> tuple[np.ndarray, np.ndarray]:
    """Movements, each `count` times `MOVE` samples followed by `REST` of rest in the same repetition."""
    labels, indices = [], []
    for movement in movements:
        for repetition in range(1, count + 1):
            labels += [movement] * MOVE + [0] * REST
            indices += [repetition] * (MOVE + REST)
    return np.array(labels), np.array(indices)


def ninapro(path: Path, channels: int, count: int, movements: tuple[int, ...] = (1,), seed: int = 0) -> Path:
    labels, indices = repetitions(count, movements)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "emg": emg(len(labels), channels, seed, 1e-4).astype(np.float32),
        "acc": np.zeros((len(labels), 3)),
        "restimulus": labels[:, None].astype(np.int8),
        "rerepetition": indices[:, None].astype(np.int8),
    }
    savemat(path, content, do_compression=True)
    return path


def db8(path: Path, time: int = 600, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    glove = np.random.default_rng(seed).uniform(0, 90, (time, 18))
    glove[10:20, 4] = np.nan
    savemat(path, {"emg": emg(time, 16, seed, 1e-4), "glove": glove}, do_compression=True)
    return path


def epn_user(path: Path, gestures: dict[str, int], testing: dict[str, int], length: int = 150) -> Path:
    random = np.random.default_rng(len(str(path)))

    def samples(counts: dict[str, int]) -> dict[str, object]:
        names = [name for name, count in counts.items() for _ in range(count)]
        made = {}
        for number, name in enumerate(names, start=1):
            channels = {f"ch{c}": random.integers(-128, 128, length + number).tolist() for c in range(1, 9)}
            made[f"idx_{number}"] = {"startPointforGestureExecution": 9, "emg": channels}
            if name != "notProvided":
                made[f"idx_{number}"]["gestureName"] = name
        return made

    path.parent.mkdir(parents=True, exist_ok=True)
    user = {"generalInfo": {"samplingFrequencyInHertz": 200}}
    path.write_text(
        json.dumps({**user, "trainingSamples": samples(gestures), "testingSamples": samples(testing)})
    )
    return path


def uci(path: Path, classes: tuple[int, ...] = (1, 2, 3), run: int = 400, step_ms: int = 1) -> Path:
    """Unmarked rows before each run of a class, and a last row cut off, as in one of the published files."""
    labels = np.concatenate([[0] * 100 + [c] * run for c in classes])
    signal = emg(len(labels), 8, 1, 1e-5)
    rows = ["time\t" + "\t".join(f"channel{c}" for c in range(1, 9)) + "\tclass"]
    for number, (values, label) in enumerate(zip(signal, labels, strict=True)):
        rows.append(f"{1 + number * step_ms}\t" + "\t".join(f"{v:.0e}" for v in values) + f"\t{label}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n90000\t1e-05\n")
    return path


def emg2pose(folder: Path, parts: dict[str, str], time: int = 1200) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fields = np.dtype([("time", "<f8"), ("joint_angles", "<f4", (20,)), ("emg", "<f4", (16,))])
    for number, name in enumerate(parts):
        rows = np.zeros(time, dtype=fields)
        rows["emg"] = emg(time, 16, number)
        with h5py.File(folder / f"{name}.hdf5", "w") as file:
            group = file.create_group("emg2pose")
            group.attrs["session"] = name
            group.create_dataset("timeseries", data=rows)
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "session", "user", "filename", "split"])
        writer.writerows([[n, "s", "u", name, part] for n, (name, part) in enumerate(parts.items())])
