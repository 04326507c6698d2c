"""Where the windows of a recording lie, what labels them, and to which part they belong."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from examples.tinymyo.data.raw import UNUSED, Recording

Overlap = Literal["published", "purge"]


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Say how a dataset is cut: which sample labels a window, and where windows may lie.

    `pad` keeps windows that pass the end, with zeros; `runs` cuts inside runs of one label; `single` takes
    one window from the start of each segment.
    """

    anchor: Literal["start", "centre"] = "start"
    pad: bool = False
    runs: bool = False
    single: bool = False


@dataclass(frozen=True, slots=True)
class Cuts:
    """Hold one entry per window: first sample, real samples, class, part, segment, and if parts mix in it."""

    start: NDArray[np.int64]
    valid: NDArray[np.int32]
    label: NDArray[np.int16]
    split: NDArray[np.int8]
    segment: NDArray[np.int32]
    mixed: NDArray[np.bool_]


def cut(recording: Recording, rule: WindowRule, samples: int, stride: int, overlap: Overlap) -> Cuts:
    """Cut a recording; windows whose anchor is in no part are left out.

    A window belongs to the part of its anchor, and may reach into another part, which `mixed` tells.
    With `purge` such windows are left out too, so that no sample is in two parts.
    """
    starts, stops, segments = [], [], []
    for number, (low, high) in enumerate(_spans(recording, rule)):
        last = high if rule.pad else high - samples + 1
        here = np.arange(low, last, high - low if rule.single else stride)
        starts.append(here)
        stops.append(np.full(len(here), high))
        segments.append(np.full(len(here), 0 if rule.runs else number))
    start, stop = np.concatenate(starts).astype(np.int64), np.concatenate(stops)
    segment = np.concatenate(segments).astype(np.int32)
    valid = np.minimum(stop - start, samples).astype(np.int32)
    anchor = start + (samples // 2 if rule.anchor == "centre" else 0)
    split = recording.split[anchor]
    mixed = np.zeros(len(start), dtype=np.bool_)
    for part in range(3):
        before = np.concatenate([[0], np.cumsum(recording.split == part)])
        mixed |= (split != part) & (before[start + valid] > before[start])
    keep = (split != UNUSED) & ~(mixed & (overlap == "purge"))
    columns = (start, valid, recording.labels[anchor], split, segment, mixed)
    return Cuts(*(column[keep] for column in columns))


def _spans(recording: Recording, rule: WindowRule) -> list[tuple[int, int]]:
    if not rule.runs:
        return list(recording.segments)
    edges = np.flatnonzero(np.diff(recording.labels)) + 1
    bounds = [0, *edges.tolist(), len(recording.labels)]
    return list(pairwise(bounds))
