"""EMG-EPN-612: one JSON file per user, 8 channels at 200 Hz, integers of 8 bits.

`trainingJSON/userN/userN.json` and `testingJSON/userN/userN.json` hold `trainingSamples` and
`testingSamples`, objects `idx_1`, `idx_2` ... with `gestureName` and `emg` of `ch1` to `ch8`
(https://zenodo.org/records/4421500). The `testingSamples` of users in `testingJSON` carry no gesture.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.tinymyo.data.raw import TEST, TRAIN, VAL, Recording, Source, broken
from examples.tinymyo.errors import TinyMyoError

USERS = 306
FULL_SCALE = 128.0
CHANNELS = tuple(f"ch{n}" for n in range(1, 9))
CLASSES = ("noGesture", "waveIn", "waveOut", "pinch", "open", "fist")
# Of each gesture of a test user, the first ones train.
TRAINING_PER_GESTURE = 10


def find(raw: Path) -> list[Source]:
    """List the 306 training users and the 306 test users; a user is a group.

    Raises:
        TinyMyoError: no folder trainingJSON or testingJSON.
    """
    sources = []
    for folder in ("trainingJSON", "testingJSON"):
        place = next((path for path in sorted(raw.rglob(folder)) if path.is_dir()), None)
        if place is None:
            raise TinyMyoError(f"--raw: found no folder {folder} in {raw}", "unpack the dataset there")
        for user in range(1, USERS + 1):
            name = f"{folder[:-4]}_user{user}"
            sources.append(Source(name, place / f"user{user}" / f"user{user}.json", name))
    return sources


def read(source: Source) -> Recording:
    """Read the labelled samples of one user, each a segment of its own; others are left out.

    Raises:
        TinyMyoError: no such JSON, a missing field, or channels of different lengths.
    """
    try:
        content = json.loads(source.path.read_bytes())
        kept = list(_labelled(content, source.name.startswith("training")))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        found = f"no user of EMG-EPN-612 ({type(error).__name__}: {error})"
        raise broken(source.path, found, "trainingSamples with gestureName and emg ch1 to ch8") from error
    if not kept:
        raise broken(source.path, "no sample with a known gesture", f"gestureName {', '.join(CLASSES)}")
    ends = np.cumsum([len(emg) for emg, _, _ in kept])
    lengths = np.diff(ends, prepend=0)
    return Recording(
        np.concatenate([emg for emg, _, _ in kept]),
        np.repeat([label for _, label, _ in kept], lengths).astype(np.int16),
        np.repeat([part for _, _, part in kept], lengths).astype(np.int8),
        tuple(zip((ends - lengths).tolist(), ends.tolist(), strict=True)),
    )


def _labelled(content: dict[str, Any], training_user: bool) -> list[tuple[NDArray[np.float32], int, int]]:
    seen: Counter[str] = Counter()
    kept = []
    for sample in content["trainingSamples"].values():
        gesture = sample.get("gestureName")
        if gesture in CLASSES:
            late = seen[gesture] >= TRAINING_PER_GESTURE and not training_user
            kept.append((_emg(sample), CLASSES.index(gesture), TEST if late else TRAIN))
            seen[gesture] += 1
    if training_user:
        for sample in content["testingSamples"].values():
            if sample.get("gestureName") in CLASSES:
                kept.append((_emg(sample), CLASSES.index(sample["gestureName"]), VAL))
    return kept


def _emg(sample: dict[str, Any]) -> NDArray[np.float32]:
    columns = [np.asarray(sample["emg"][channel], dtype=np.float32) for channel in CHANNELS]
    return np.stack(columns, axis=1) / np.float32(FULL_SCALE)
