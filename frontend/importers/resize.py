"""Importer of Resize: linear interpolation along the last axis, as torch's `interpolate` asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tmc.frontend.importers.views import transposed
from tmc.frontend.node import Node
from tmc.ir.attrs import InterpolateRowsAttrs
from tmc.ir.graph import OpKind

# They place sample centres alike, but for a result of one sample.
_HALF_PIXEL = ("half_pixel", "pytorch_half_pixel")
_REMEDY = 'use interpolate(x, size=..., mode="linear", align_corners=False) on (batch, channels, samples)'


def resize(node: Node) -> Sequence[str]:
    """Interpolate linearly along the last axis: its samples become rows, which interpolate_rows stretches."""
    shape = node.shape(0)
    mode = _checked_mode(node)
    after = _result_shape(node, shape)
    node.refuse(
        after[:-1] != shape[:-1],
        f"shape {shape} resized to {after}",
        "another size of the last axis alone",
        _REMEDY,
    )
    if after == shape:
        return [node.value(0)]
    node.refuse(
        shape[-1] < 2 or (after[-1] == 1 and mode == "pytorch_half_pixel"),
        f"{shape[-1]} samples resized to {after[-1]} by {mode}",
        "2 or more, and half_pixel for one sample of the result",
        "expand a single sample, or slice the first one",
    )
    others = shape[:-1]
    last = len(others)
    rows = node.reshape(transposed(node, node.value(0), (last, *range(last))), (shape[-1], prod(others)))
    stretched = node.emit(OpKind.INTERPOLATE_ROWS, [rows], InterpolateRowsAttrs(after[-1]))
    return [transposed(node, node.reshape(stretched, (after[-1], *others)), (*range(1, last + 1), 0))]


def _checked_mode(node: Node) -> str:
    """Return how the node places the samples; raise if it does not interpolate linearly between centres."""
    for name, default, allowed in (
        ("mode", "nearest", ("linear",)),
        ("coordinate_transformation_mode", "half_pixel", _HALF_PIXEL),
        ("antialias", 0, (0,)),
        ("keep_aspect_ratio_policy", "stretch", ("stretch",)),
    ):
        found = node.attribute(name, default)
        node.refuse(
            found not in allowed, f"{name} {found}", " or ".join(str(value) for value in allowed), _REMEDY
        )
    return str(node.attribute("coordinate_transformation_mode", "half_pixel"))


def _result_shape(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape after the node, whose sizes or scales may be for some axes only."""
    by_size = node.has(3) and node.known(3, "sizes").size > 0
    given = node.integers(3, "sizes") if by_size else tuple(node.known(2, "scales").reshape(-1).tolist())
    node.refuse(not np.isfinite(given).all(), f"scales {list(given)}", "finite ones", _REMEDY)
    named = node.attribute("axes", list(range(len(shape))))
    axes = [node.axis(axis, len(shape)) for axis in named]
    node.refuse(len(given) != len(axes), f"{len(given)} sizes or scales", f"{len(axes)}, one for each axis")
    after = list(shape)
    for axis, size in zip(axes, given, strict=True):
        wanted = size if by_size else shape[axis] * size
        after[axis] = round(wanted)
        # A scale that leaves a rest places the samples in another way than the size that it gives.
        node.refuse(
            abs(after[axis] - wanted) > 1e-4,
            f"scale {size:.6g} of {shape[axis]} samples",
            "a whole number of samples",
            _REMEDY,
        )
    return tuple(after)
