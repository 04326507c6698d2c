"""Importers of pools over the spatial axes of [batch, channels, ...]."""

from __future__ import annotations

from collections.abc import Sequence

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
    windows = _windows(node)
    if windows.plain:
        return [_adjacent(node, windows, OpKind.REDUCE_MEAN)]
    node.refuse(len(windows.kernel) > 2, f"{len(windows.kernel)} spatial axes", "1 or 2")
    channels, taps = node.shape(0)[1], int(np.prod(windows.kernel))
    weight = np.full((channels, 1, *windows.kernel), 1.0 / taps)
    result = convolve(node, windows, weight, np.zeros(channels), channels)
    if node.attribute("count_include_pad", 0) or not any((*windows.before, *windows.after)):
        return [result]
    # Of a window at an edge only the elements inside count.
    factor = np.ones(())
    for axis in range(len(windows.kernel)):
        inside = np.array([len(places) for places in _places(windows, axis)])
        factor = np.multiply.outer(factor, windows.kernel[axis] / inside)
    return [node.apply(OpKind.MUL, result, node.constant(factor, f"{node.loc}.count"))]


def max_pool(node: Node) -> Sequence[str]:
    """Largest of windows, axis by axis; padding never is the largest."""
    windows = _windows(node)
    if windows.plain:
        return [_adjacent(node, windows, OpKind.REDUCE_MAX)]
    value = node.value(0)
    for axis, taps in enumerate(windows.kernel):
        places = _places(windows, axis)
        # What a window at an edge has too few of, it has its last element for, once more.
        rows = np.array([[*inside, *[inside[-1]] * (taps - len(inside))] for inside in places])
        attrs = GatherAttrs(2 + axis, tuple(rows.reshape(-1).tolist()), rows.shape)
        gathered = node.emit(OpKind.GATHER, [value], attrs)
        value = node.emit(OpKind.REDUCE_MAX, [gathered], ReduceAttrs((3 + axis,), False))
    return [value]


def _windows(node: Node) -> Windows:
    windows = read_windows(node, tuple(node.attribute("kernel_shape", ())))
    room = [
        size + before + after - reach
        for size, before, after, reach in zip(
            windows.sizes, windows.before, windows.after, windows.reach, strict=True
        )
    ]
    node.refuse(min(room) < 0, f"windows of {windows.reach} in {windows.sizes}", "windows that fit")
    node.refuse(
        any(
            max(before, after) >= reach
            for before, after, reach in zip(windows.before, windows.after, windows.reach, strict=True)
        ),
        f"pads {windows.before} and {windows.after} for windows of {windows.reach}",
        "less than a window",
    )
    rests = [space % stride for space, stride in zip(room, windows.strides, strict=True)]
    node.refuse(
        bool(node.attribute("ceil_mode", 0)) and any(rests),
        "ceil_mode 1 with a last window that is not whole",
        "0, or sizes that the strides divide",
        "pad or cut the signal",
    )
    return windows


def _places(windows: Windows, axis: int) -> list[Array]:
    """Return for each window the places along an axis that it covers, without those of the padding."""
    size, reach = windows.sizes[axis], windows.reach[axis]
    before, after = windows.before[axis], windows.after[axis]
    first = range(-before, size + after - reach + 1, windows.strides[axis])
    taps = np.arange(0, reach, windows.dilations[axis])
    return [(start + taps)[(start + taps >= 0) & (start + taps < size)] for start in first]


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
