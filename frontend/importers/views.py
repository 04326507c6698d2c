"""Importers of ops that move elements and compute nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod

import numpy as np
from onnx import TensorProto

from tmc.frontend.limits import check_elements
from tmc.frontend.node import Node
from tmc.frontend.structure import element_name
from tmc.ir.attrs import ConcatAttrs, ExpandAttrs, GatherAttrs, SliceAttrs, TransposeAttrs
from tmc.ir.graph import OpKind

_INTEGERS = (TensorProto.INT32, TensorProto.INT64)
# The network computes in float32 whatever the file says; the check against onnxruntime shows the difference.
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


def same(node: Node) -> Sequence[str]:
    """Identity."""
    return [node.value(0)]


def dropout(node: Node) -> Sequence[str]:
    """Dropout, which is the identity outside training, and where it drops nothing."""
    training = node.has(2) and bool(node.known(2, "training_mode").all())
    if training and node.has(1) and not node.known(1, "ratio").any():
        return [node.value(0)]
    node.refuse(training, "dropout in training mode", "inference", "call model.eval() before the export")
    return [node.value(0)]


def cast(node: Node) -> Sequence[str]:
    """Cast between float types, or of truth values, which is the identity here."""
    target = node.attribute("to", TensorProto.FLOAT)
    truth = target == TensorProto.BOOL and node.is_truth(0)
    node.refuse(
        target not in (_INTEGERS if node.is_integer(0) else _FLOATS) and not truth,
        f"a cast to {element_name(target)} at run time",
        "casts between float types",
    )
    return [node.value(0)]


def cast_like(node: Node) -> Sequence[str]:
    """Cast to the type of another input, which is the identity between floats."""
    integers = node.is_known(1) and not np.issubdtype(node.known(1, "target").dtype, np.floating)
    node.refuse(integers, "a cast to integers at run time", "casts between float types")
    return [node.value(0)]


def transposed(node: Node, value: str, permutation: Sequence[int]) -> str:
    """Emit a transpose."""
    return node.emit(OpKind.TRANSPOSE, [value], TransposeAttrs(tuple(int(axis) for axis in permutation)))


def reshape(node: Node) -> Sequence[str]:
    """Reshape; 0 keeps an axis unless allowzero is set, -1 takes what is left."""
    before = node.shape(0)
    shape = list(node.integers(1, "shape"))
    if not node.attribute("allowzero", 0):
        node.refuse(
            any(size == 0 and axis >= len(before) for axis, size in enumerate(shape)),
            f"shape {shape} for an input of rank {len(before)}",
            "0 only for axes of the input",
        )
        shape = [before[axis] if size == 0 else size for axis, size in enumerate(shape)]
    if shape.count(-1) == 1:
        rest = -prod(shape)
        node.refuse(rest <= 0 or prod(before) % rest != 0, f"shape {shape} for {before}", "a divisor")
        shape[shape.index(-1)] = prod(before) // rest
    node.refuse(any(size < 0 for size in shape), f"shape {shape} for {before}", "sizes of 0 or more, one -1")
    return [node.reshape(node.value(0), shape)]


def flatten(node: Node) -> Sequence[str]:
    """Flatten to two axes."""
    shape = node.shape(0)
    axis = node.attribute("axis", 1)
    axis = axis if axis == len(shape) else node.axis(axis, len(shape))
    return [node.reshape(node.value(0), (prod(shape[:axis]), prod(shape[axis:])))]


def _axes(node: Node) -> tuple[int, ...]:
    # An input since opset 13, an attribute before.
    return node.integers(1, "axes") if node.has(1) else tuple(node.attribute("axes", ()))


def squeeze(node: Node) -> Sequence[str]:
    """Remove axes of 1."""
    shape = node.shape(0)
    axes = {node.axis(axis, len(shape)) for axis in _axes(node)}
    axes = axes or {axis for axis, size in enumerate(shape) if size == 1}
    node.refuse(any(shape[axis] != 1 for axis in axes), f"axes {sorted(axes)} of {shape}", "axes of size 1")
    return [node.reshape(node.value(0), [size for axis, size in enumerate(shape) if axis not in axes])]


def unsqueeze(node: Node) -> Sequence[str]:
    """Insert axes of 1."""
    rest = list(node.shape(0))
    axes = _axes(node)
    for axis in sorted(node.axis(axis, len(rest) + len(axes)) for axis in axes):
        rest.insert(axis, 1)
    return [node.reshape(node.value(0), rest)]


def transpose(node: Node) -> Sequence[str]:
    """Transpose; without a permutation all axes are reversed."""
    rank = node.rank(0)
    return [transposed(node, node.value(0), node.attribute("perm", list(range(rank))[::-1]))]


def slice_(node: Node) -> Sequence[str]:
    """Slice; a negative step becomes a gather."""
    shape = node.shape(0)
    if node.opset < 10:
        starts, ends = tuple(node.attribute("starts", ())), tuple(node.attribute("ends", ()))
        axes = tuple(node.attribute("axes", range(len(starts))))
    else:
        starts, ends = node.integers(1, "starts"), node.integers(2, "ends")
        axes = node.integers(3, "axes") if node.has(3) else tuple(range(len(starts)))
    steps = node.integers(4, "steps") if node.has(4) else (1,) * len(starts)
    given = (starts, ends, axes, steps)
    node.refuse(
        len({len(numbers) for numbers in given}) != 1,
        f"{', '.join(str(len(numbers)) for numbers in given)} starts, ends, axes and steps",
        "as many of each",
    )
    value = node.value(0)
    regular = {axis: range(size) for axis, size in enumerate(shape)}
    for start, end, named_axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = node.axis(named_axis, len(shape))
        node.refuse(step == 0, "step 0", "another step")
        chosen = range(shape[axis])[slice(start, end, step)]
        if step > 0:
            regular[axis] = chosen
        else:
            value = node.emit(OpKind.GATHER, [value], GatherAttrs(axis, tuple(chosen), (len(chosen),)))
            regular[axis] = range(len(chosen))
    parts = [regular[axis] for axis in range(len(shape))]
    node.refuse(any(len(part) == 0 for part in parts), f"an empty slice of {shape}", "at least one element")
    attrs = SliceAttrs(
        tuple(p.start for p in parts), tuple(p.stop for p in parts), tuple(p.step for p in parts)
    )
    return [node.emit(OpKind.SLICE, [value], attrs)]


def split(node: Node) -> Sequence[str]:
    """Split into one slice per output."""
    shape = node.shape(0)
    axis = node.axis(node.attribute("axis", 0), len(shape))
    count = len(node.proto.output)
    if node.has(1):
        sizes = list(node.integers(1, "split"))
    else:
        chunk = -(-shape[axis] // count)
        sizes = list(node.attribute("split", [min(chunk, shape[axis] - i * chunk) for i in range(count)]))
    node.refuse(
        sum(sizes) != shape[axis] or min(sizes) <= 0 or len(sizes) != count,
        f"parts {sizes} of {shape[axis]}",
        f"{count} parts that add up",
    )
    parts = []
    for start, size in zip(np.cumsum([0, *sizes[:-1]]), sizes, strict=True):
        starts, ends = [0] * len(shape), list(shape)
        starts[axis], ends[axis] = int(start), int(start) + size
        attrs = SliceAttrs(tuple(starts), tuple(ends), (1,) * len(shape))
        parts.append(node.emit(OpKind.SLICE, [node.value(0)], attrs))
    return parts


def concat(node: Node) -> Sequence[str]:
    """Concatenate."""
    axis = node.axis(node.attribute("axis", 0), node.rank(0))
    values = [node.value(index) for index in range(len(node.proto.input))]
    return [node.emit(OpKind.CONCAT, values, ConcatAttrs(axis))]


def gather(node: Node) -> Sequence[str]:
    """Take constant indices along one axis; negative ones count from the end."""
    shape = node.shape(0)
    axis = node.axis(node.attribute("axis", 0), len(shape))
    indices = node.known(1, "indices")
    counted = tuple(index + shape[axis] if index < 0 else index for index in indices.reshape(-1).tolist())
    attrs = GatherAttrs(axis, counted, tuple(indices.shape))
    return [node.emit(OpKind.GATHER, [node.value(0)], attrs)]


def gather_nd(node: Node) -> Sequence[str]:
    """Take parts of the leading axes by constant tuples of indices; negative ones count from the end."""
    shape = node.shape(0)
    node.refuse(bool(node.attribute("batch_dims", 0)), "batch_dims", "0")
    indices = node.known(1, "indices")
    depth = indices.shape[-1] if indices.ndim else 0
    leading = shape[:depth]
    node.refuse(
        not 1 <= depth <= len(shape)
        or bool((indices >= leading).any() or (indices < -np.array(leading)).any()),
        f"indices of shape {indices.shape} up to {indices.max(initial=0)} into {shape}",
        "tuples of indices inside the leading axes",
    )
    places = np.ravel_multi_index(tuple(np.moveaxis(indices % leading, -1, 0)), leading)
    flat = node.reshape(node.value(0), (prod(leading), *shape[depth:]))
    attrs = GatherAttrs(0, tuple(places.reshape(-1).tolist()), tuple(places.shape))
    return [node.emit(OpKind.GATHER, [flat], attrs)]


def expand(node: Node) -> Sequence[str]:
    """Broadcast to a shape."""
    before, wanted = node.shape(0), node.integers(1, "shape")
    sizes = list(itertools.zip_longest(reversed(before), reversed(wanted), fillvalue=1))
    node.refuse(
        any(size < 1 or (size != old and 1 not in (size, old)) for old, size in sizes),
        f"shape {list(wanted)} for {before}",
        "sizes of 1 or more that the shape can be repeated to",
    )
    shape = [max(pair) for pair in reversed(sizes)]
    return [node.emit(OpKind.EXPAND, [node.value(0)], ExpandAttrs(tuple(int(size) for size in shape)))]


def tile(node: Node) -> Sequence[str]:
    """Repeat along each axis."""
    value, shape, repeats = node.value(0), node.shape(0), node.integers(1, "repeats")
    node.refuse(
        len(repeats) != len(shape) or any(count < 1 for count in repeats),
        f"repeats {list(repeats)} for {shape}",
        "1 or more for each axis",
    )
    check_elements(f"{node.loc} (Tile)", (size * count for size, count in zip(shape, repeats, strict=True)))
    for axis, (size, count) in enumerate(zip(shape, repeats, strict=True)):
        if count != 1:
            indices = tuple(range(size)) * count
            value = node.emit(OpKind.GATHER, [value], GatherAttrs(axis, indices, (len(indices),)))
    return [value]
