"""What training reads: a set of windows by index, three of them as splits, and several as one."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from examples.tinymyo.errors import TinyMyoError

Label = int | NDArray[np.float32] | None


class WindowSet(Protocol):
    """Give windows by index, each read when it is asked for; safe to send to worker processes.

    A window is float32 (padded_channels, samples); rows from `real_channels(i)` on are zero, for the padded
    channels of the attention mask. `channels` is the largest of the real counts. A label is a class number,
    float32 targets (samples, outputs), or None; `classes` is empty unless labels are class numbers.
    """

    @property
    def channels(self) -> int: ...
    @property
    def padded_channels(self) -> int: ...
    @property
    def samples(self) -> int: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Label]: ...
    def real_channels(self, index: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Splits:
    """Hold the three parts of one dataset; a part may be empty."""

    train: WindowSet
    val: WindowSet
    test: WindowSet


@dataclass(frozen=True, slots=True)
class ArrayWindows:
    """Hold windows (count, channels, samples) in memory, with class numbers, targets or no labels."""

    windows: NDArray[np.float32]
    labels: NDArray[np.int64] | NDArray[np.float32] | None = None
    classes: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return int(self.windows.shape[1])

    @property
    def padded_channels(self) -> int:
        """Return the number of channels: nothing is padded."""
        return self.channels

    @property
    def samples(self) -> int:
        """Return the samples of a window."""
        return int(self.windows.shape[2])

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Label]:
        window = self.windows[index]
        if self.labels is None:
            return window, None
        return window, int(self.labels[index]) if self.classes else self.labels[index].astype(np.float32)

    def real_channels(self, index: int) -> int:
        """Return the number of channels, the same for every window."""
        return self.channels


class Concatenation:
    """Give the windows of several sets, padded with zero channels to one count, without labels."""

    def __init__(self, sets: Sequence[WindowSet], padded_channels: int) -> None:
        self.sets = tuple(sets)
        self.ends = tuple(accumulate(len(one) for one in self.sets))
        self.channels = max(one.channels for one in self.sets)
        self.padded_channels = padded_channels
        self.samples = self.sets[0].samples
        self.classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.ends[-1]

    def _locate(self, index: int) -> tuple[WindowSet, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        which = bisect_right(self.ends, index)
        return self.sets[which], index - (self.ends[which - 1] if which else 0)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Label]:
        one, inner = self._locate(index)
        window = one[inner][0]
        padded = np.zeros((self.padded_channels, self.samples), dtype=np.float32)
        padded[: len(window)] = window
        return padded, None

    def real_channels(self, index: int) -> int:
        """Return the channels of window `index` that are not padding."""
        one, inner = self._locate(index)
        return one.real_channels(inner)


def concatenate(sets: Sequence[WindowSet], padded_channels: int = 16) -> WindowSet:
    """Join sets of different channel counts for pre-training; labels are dropped, for they mean other things.

    Raises:
        TinyMyoError: no set, different window lengths, or more channels than `padded_channels`.
    """
    lengths = sorted({one.samples for one in sets})
    if len(lengths) != 1:
        raise TinyMyoError(
            f"samples: found windows of {lengths}, allowed one length", "prepare all with one --window"
        )
    widest = max(one.padded_channels for one in sets)
    if widest > padded_channels:
        raise TinyMyoError(
            f"channels: found {widest}, allowed at most {padded_channels}", "raise the padded channel count"
        )
    return Concatenation(sets, padded_channels)
