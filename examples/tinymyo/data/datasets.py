"""The seven datasets: how each is found, read, filtered and cut; the README says what is not as published."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from examples.tinymyo.data import emg2pose, epn, ninapro, uci
from examples.tinymyo.data.raw import Recording, Source
from examples.tinymyo.data.windows import WindowRule

LOW_BAND = (20.0, 90.0)
WIDE_BAND = (20.0, 450.0)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Describe one dataset; `classes` None takes the class numbers of the files, empty means no classes."""

    find: Callable[[Path], list[Source]]
    read: Callable[[Source], Recording]
    channels: int
    rate_hz: float
    band_hz: tuple[float, float]
    rule: WindowRule
    samples: int
    stride: int
    classes: tuple[str, ...] | None
    outputs: tuple[str, ...] = ()


CENTRE = WindowRule(anchor="centre")
DATASETS = {
    "db5": Dataset(
        ninapro.find_db5,
        ninapro.read_db5,
        16,
        200.0,
        LOW_BAND,
        WindowRule(pad=True),
        1000,
        250,
        ninapro.DB5_CLASSES,
    ),
    "db6": Dataset(
        ninapro.find_db6, ninapro.read_db6, 14, 2000.0, WIDE_BAND, CENTRE, 1000, 500, ninapro.DB6_CLASSES
    ),
    "db7": Dataset(ninapro.find_db7, ninapro.read_db7, 12, 2000.0, WIDE_BAND, CENTRE, 1000, 500, None),
    "db8": Dataset(
        ninapro.find_db8,
        ninapro.read_db8,
        16,
        1111.0,
        LOW_BAND,
        WindowRule(),
        1000,
        500,
        (),
        ninapro.DB8_OUTPUTS,
    ),
    "epn612": Dataset(
        epn.find, epn.read, 8, 200.0, LOW_BAND, WindowRule(pad=True, single=True), 1000, 1000, epn.CLASSES
    ),
    "uci": Dataset(uci.find, uci.read, 8, 200.0, LOW_BAND, WindowRule(runs=True), 1000, 500, uci.CLASSES),
    "emg2pose": Dataset(emg2pose.find, emg2pose.read, 16, 2000.0, WIDE_BAND, WindowRule(), 1000, 500, ()),
}
