"""Importers of pools over the spatial axes of [batch, channels, ...]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tmc.frontend.importers.products import convolve
from tmc.frontend.importers.windows import Windows, read_windows
from tmc.frontend.node import Node
from tmc.ir.attrs import GatherAttrs, ReduceAttrs, SliceAttrs
from tmc.ir.graph import OpKind
from tmc.ir.types import Array


def global_average_pool(node: Node) -> Sequence[str]:
    """Mean over all spatial axes."""
    return [node.emit(OpKind.REDUCE_MEAN, [node.value(0)], _spatial(node))]


def global_max_pool(node: Node) -> Sequence[str]:
    """Largest over all spatial axes."""
    return [node.emit(OpKind.REDUCE_MAX, [node.value(0)], _spatial(node))]


def _spatial(node: Node) -> ReduceAttrs:
    return ReduceAttrs(tuple(range(2, node.rank(0))), True)


def average_pool(node: Node) -> Sequence[str]:
    """Mean of windows: of adjacent ones by a reshape, else by a convolution of each channel."""
    windows, counts = _windows(node)
    if windows.plain and counts == windows.counts(ceil=False):
        return [_adjacent(node, windows, OpKind.REDUCE_MEAN)]
    node.refuse(len(windows.kernel) > 2, f"{len(windows.kernel)} spatial axes", "1 or 2")
    channels, taps = node.shape(0)[1], int(np.prod(windows.kernel))
    weight = np.full((channels, 1, *windows.kernel), 1.0 / taps)
    result = convolve(node, _reaching(windows, counts), weight, np.zeros(channels), channels)
    padded = bool(node.attribute("count_include_pad", 0))
    # Of a window at an edge only the elements inside count.
    factor = np.ones(())
    for axis, taps in enumerate(windows.kernel):
        inside = np.array([len(places) for places in _places(windows, axis, counts[axis], padded)])
        factor = np.multiply.outer(factor, taps / inside)
    if (factor == 1.0).all():
        return [result]
    return [node.apply(OpKind.MUL, result, node.constant(factor, f"{node.loc}.count"))]


def max_pool(node: Node) -> Sequence[str]:
    """Largest of windows, axis by axis; padding never is the largest."""
    windows, counts = _windows(node)
    if windows.plain and counts == windows.counts(ceil=False):
        return [_adjacent(node, windows, OpKind.REDUCE_MAX)]
    value = node.value(0)
    for axis, taps in enumerate(windows.kernel):
        places = _places(windows, axis, counts[axis], padded=False)
        # What a window at an edge has too few of, it has its last element for, once more.
        rows = np.array([[*inside, *[inside[-1]] * (taps - len(inside))] for inside in places])
        attrs = GatherAttrs(2 + axis, tuple(rows.reshape(-1).tolist()), rows.shape)
        gathered = node.emit(OpKind.GATHER, [value], attrs)
        value = node.emit(OpKind.REDUCE_MAX, [gathered], ReduceAttrs((3 + axis,), False))
    return [value]


def _windows(node: Node) -> tuple[Windows, tuple[int, ...]]:
    """Return the windows, and how many there are along each axis."""
    windows = read_windows(node, tuple(node.attribute("kernel_shape", ())))
    counts = windows.counts(bool(node.attribute("ceil_mode", 0)))
    node.refuse(min(counts) < 1, f"windows of {windows.reach} in {windows.sizes}", "windows that fit")
    places = [_places(windows, axis, count, padded=False) for axis, count in enumerate(counts)]
    node.refuse(
        any(len(inside) == 0 for along in places for inside in along),
        f"pads {windows.before} and {windows.after} for windows of {windows.reach}",
        "an element of the input in every window",
    )
    return windows, counts


def _places(windows: Windows, axis: int, count: int, padded: bool) -> list[Array]:
    """Return for each window the places along an axis that it covers; `padded`: of the padding too."""
    before, after = windows.before[axis], windows.after[axis]
    low, high = (-before, windows.sizes[axis] + after) if padded else (0, windows.sizes[axis])
    taps = np.arange(0, windows.reach[axis], windows.dilations[axis])
    starts = (number * windows.strides[axis] - before for number in range(count))
    return [(start + taps)[(start + taps >= low) & (start + taps < high)] for start in starts]


def _reaching(windows: Windows, counts: tuple[int, ...]) -> Windows:
    """Return the windows with the padding behind that the last ones reach into."""
    ends = (
        (count - 1) * stride + reach - before - size
        for count, stride, reach, before, size in zip(
            counts, windows.strides, windows.reach, windows.before, windows.sizes, strict=True
        )
    )
    return replace(windows, after=tuple(max(end, 0) for end in ends))


def _adjacent(node: Node, windows: Windows, kind: OpKind) -> str:
    """Emit the reduction of windows side by side: they are an axis of their own."""
    batch, channels, *sizes = node.shape(0)
    counts = [size // taps for size, taps in zip(sizes, windows.kernel, strict=True)]
    value = node.value(0)
    whole = [count * taps for count, taps in zip(counts, windows.kernel, strict=True)]
    if whole != sizes:
        ends = (batch, channels, *whole)
        value = node.emit(OpKind.SLICE, [value], SliceAttrs((0,) * len(ends), ends, (1,) * len(ends)))
    pairs = [number for pair in zip(counts, windows.kernel, strict=True) for number in pair]
    split = node.reshape(value, (batch, channels, *pairs))
    axes = tuple(range(3, 3 + len(pairs), 2))
    return node.emit(kind, [split], ReduceAttrs(axes, False))
