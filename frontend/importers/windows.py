"""Windows over the spatial axes of [batch, channels, ...]: attributes of convolutions and pools; padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tmc.frontend.node import Node
from tmc.ir.attrs import ConcatAttrs, GatherAttrs, SliceAttrs
from tmc.ir.graph import OpKind


@dataclass(frozen=True, slots=True)
class Windows:
    """Along each spatial axis: elements of a window and of the axis, stride, distance of taps, padding."""

    kernel: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Return from the first element of a window to behind its last."""
        return tuple((taps - 1) * step + 1 for taps, step in zip(self.kernel, self.dilations, strict=True))

    def counts(self, ceil: bool) -> tuple[int, ...]:
        """Return how many windows there are; with `ceil`, a last one that is not whole counts.

        None begins in the padding behind.
        """
        found = []
        for axis, (size, stride, reach) in enumerate(zip(self.sizes, self.strides, self.reach, strict=True)):
            room = size + self.before[axis] + self.after[axis] - reach
            count = (-(-room // stride) if ceil else room // stride) + 1
            found.append(count - (ceil and (count - 1) * stride >= size + self.before[axis]))
        return tuple(found)

    @property
    def plain(self) -> bool:
        """Tell whether windows are adjacent, side by side from the first element on."""
        alone = not any((*self.before, *self.after)) and max(self.dilations) == 1
        return alone and self.kernel == self.strides


def read_windows(node: Node, kernel: Sequence[int]) -> Windows:
    """Return the windows of a convolution or pool.

    Raises: UnsupportedModel for attributes that do not fit each other.
    """
    sizes = node.shape(0)[2:]
    spatial = len(sizes)
    strides, dilations = (tuple(node.attribute(name, [1] * spatial)) for name in ("strides", "dilations"))
    pads = tuple(node.attribute("pads", [0] * (2 * spatial)))
    given = (("kernel_shape", kernel, 1), ("strides", strides, 1), ("dilations", dilations, 1))
    for name, numbers, times in (*given, ("pads", pads, 2)):
        count = times * spatial
        node.refuse(len(numbers) != count, f"{len(numbers)} {name}", f"{count} for {spatial} spatial axes")
    least = min((*kernel, *strides, *dilations), default=1)
    node.refuse(
        least < 1 or min(pads, default=0) < 0,
        f"kernel {tuple(kernel)}, strides {strides}, dilations {dilations}, pads {pads}",
        "pads of 0 or more, and all others of 1 or more",
    )
    found = Windows(tuple(kernel), sizes, strides, dilations, pads[:spatial], pads[spatial:])
    automatic = node.attribute("auto_pad", "NOTSET")
    if automatic == "NOTSET":
        return found
    node.refuse(
        automatic not in ("VALID", "SAME_UPPER", "SAME_LOWER"),
        f"auto_pad {automatic}",
        "NOTSET, VALID, SAME_UPPER or SAME_LOWER",
    )
    missing = [
        max((-(-size // stride) - 1) * stride + reach - size, 0) if automatic != "VALID" else 0
        for size, stride, reach in zip(sizes, strides, found.reach, strict=True)
    ]
    less = tuple(count // 2 for count in missing)
    more = tuple(count - count // 2 for count in missing)
    before, after = (more, less) if automatic == "SAME_LOWER" else (less, more)
    return Windows(tuple(kernel), sizes, strides, dilations, before, after)


def pad(node: Node) -> Sequence[str]:
    """Pad by a constant or by elements of the input; a negative number takes elements away."""
    mode = node.attribute("mode", "constant")
    node.refuse(
        mode not in ("constant", "reflect", "edge", "wrap"), f"mode {mode}", "constant, reflect, edge or wrap"
    )
    before, after = _pads(node)
    number = 0.0
    if mode == "constant":
        filled = node.known(2, "constant_value").reshape(-1) if node.has(2) else np.zeros(0)
        number = float(filled[0]) if filled.size else float(node.attribute("value", 0.0))
        if number == 0.0:
            node.declare_padding(node.proto.output[0], before, after)
    value = node.value(0)
    for axis, (low, high) in enumerate(zip(before, after, strict=True)):
        if low or high:
            value = _pad_axis(node, value, axis, low, high, mode, number)
    return [value]


def _pads(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the elements to add before and behind, for each axis."""
    rank = node.rank(0)
    pads = node.integers(1, "pads") if node.has(1) else tuple(node.attribute("pads", ()))
    named = node.integers(3, "axes") if node.has(3) else tuple(range(rank))
    axes = [node.axis(axis, rank) for axis in named]
    node.refuse(len(pads) != 2 * len(axes), f"{len(pads)} pads", f"{2 * len(axes)} for {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[len(axes) + place]
    return tuple(before), tuple(after)


def _pad_axis(node: Node, value: str, axis: int, low: int, high: int, mode: str, number: float) -> str:
    shape = node.builder.type_of(value).shape
    kept = range(max(-low, 0), shape[axis] - max(-high, 0))
    node.refuse(
        not kept or (mode == "reflect" and max(low, high) >= len(kept)),
        f"pads {low} and {high} of axis {axis}, which has {shape[axis]} elements, by {mode}",
        "an element that is left, and less to reflect than there is",
    )
    if mode != "constant":
        places = np.pad(np.array(kept), (max(low, 0), max(high, 0)), mode)  # type: ignore[call-overload]
        return node.emit(OpKind.GATHER, [value], GatherAttrs(axis, tuple(places.tolist()), (places.size,)))
    if len(kept) < shape[axis]:
        starts, stops = [0] * len(shape), list(shape)
        starts[axis], stops[axis] = kept.start, kept.stop
        cut = SliceAttrs(tuple(starts), tuple(stops), (1,) * len(shape))
        value = node.emit(OpKind.SLICE, [value], cut)

    ends = [
        [node.constant(np.full((*shape[:axis], count, *shape[axis + 1 :]), number), f"{node.loc}.pad")]
        if count > 0
        else []
        for count in (low, high)
    ]
    parts = [*ends[0], value, *ends[1]]
    return node.emit(OpKind.CONCAT, parts, ConcatAttrs(axis)) if len(parts) > 1 else value
