"""Importers of ops that make one number of what lies along some axes, or divide by such a number."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tmc.frontend.importers.pointwise import negated
from tmc.frontend.node import Node
from tmc.ir.attrs import AxisAttrs, ReduceAttrs
from tmc.ir.graph import OpKind


def reduce_mean(node: Node) -> Sequence[str]:
    """Mean."""
    return [_mean(node, node.value(0), _axes(node))]


def reduce_sum(node: Node) -> Sequence[str]:
    """Sum."""
    return [_sum(node, node.value(0), _axes(node))]


def reduce_l1(node: Node) -> Sequence[str]:
    """Sum of magnitudes."""
    return [_sum(node, node.apply(OpKind.ABS, node.value(0)), _axes(node))]


def reduce_sum_square(node: Node) -> Sequence[str]:
    """Sum of squares."""
    return [_sum(node, _square(node, node.value(0)), _axes(node))]


def reduce_l2(node: Node) -> Sequence[str]:
    """Root of the sum of squares."""
    return [node.apply(OpKind.SQRT, _sum(node, _square(node, node.value(0)), _axes(node)))]


def reduce_log_sum(node: Node) -> Sequence[str]:
    """Logarithm of the sum."""
    return [node.apply(OpKind.LOG, _sum(node, node.value(0), _axes(node)))]


def reduce_log_sum_exp(node: Node) -> Sequence[str]:
    """Logarithm of the sum of powers, which the largest is taken out of."""
    x, axes = node.value(0), _axes(node)
    kept = ReduceAttrs(axes.axes, True)
    largest = _max(node, x, kept)
    if len(axes.axes) == 1:
        result = node.apply(OpKind.SUB, largest, _log_largest_share(node, x, axes.axes[0]))
    else:
        powers = node.apply(OpKind.EXP, node.apply(OpKind.SUB, x, largest))
        result = node.apply(OpKind.ADD, largest, node.apply(OpKind.LOG, _sum(node, powers, kept)))
    gone = () if axes.keepdims else axes.axes
    return [node.reshape(result, [size for axis, size in enumerate(_kept(node, axes)) if axis not in gone])]


def reduce_max(node: Node) -> Sequence[str]:
    """Largest."""
    return [_max(node, node.value(0), _axes(node))]


def reduce_min(node: Node) -> Sequence[str]:
    """Smallest: what is largest of -x."""
    return [negated(node, _max(node, negated(node, node.value(0)), _axes(node)))]


def argmax(node: Node) -> Sequence[str]:
    """Index of the largest along one axis, of equal ones the first."""
    return [_argmax(node, node.value(0))]


def argmin(node: Node) -> Sequence[str]:
    """Index of the smallest along one axis: of the largest of -x."""
    return [_argmax(node, negated(node, node.value(0)))]


def _argmax(node: Node, x: str) -> str:
    shape = list(node.shape(0))
    axis = node.axis(node.attribute("axis", 0), len(shape))
    last = bool(node.attribute("select_last_index", 0))
    node.refuse(last, "select_last_index 1", "0: of equal elements the first")
    result = node.emit(OpKind.ARGMAX, [x], AxisAttrs(axis))
    shape[axis] = 1
    return node.reshape(result, shape) if node.attribute("keepdims", 1) else result


def _axes(node: Node) -> ReduceAttrs:
    """Return the axes of a reduction: an attribute in older opsets, an operand in newer ones."""
    rank = node.rank(0)
    axes = node.integers(1, "axes") if node.has(1) else tuple(node.attribute("axes", ()))
    if not axes and not node.attribute("noop_with_empty_axes", 0):
        axes = tuple(range(rank))
    counted = tuple(sorted({node.axis(axis, rank) for axis in axes}))
    return ReduceAttrs(counted, bool(node.attribute("keepdims", 1)))


def _kept(node: Node, attrs: ReduceAttrs) -> list[int]:
    return [1 if axis in attrs.axes else size for axis, size in enumerate(node.shape(0))]


def _mean(node: Node, x: str, attrs: ReduceAttrs) -> str:
    return node.emit(OpKind.REDUCE_MEAN, [x], attrs) if attrs.axes else x


def _max(node: Node, x: str, attrs: ReduceAttrs) -> str:
    return node.emit(OpKind.REDUCE_MAX, [x], attrs) if attrs.axes else x


def _sum(node: Node, x: str, attrs: ReduceAttrs) -> str:
    """Emit the mean times the count: the IR has means."""
    count = prod(node.builder.type_of(x).shape[axis] for axis in attrs.axes)
    mean = _mean(node, x, attrs)
    return mean if count == 1 else node.apply(OpKind.MUL, mean, float(count))


def _square(node: Node, x: str) -> str:
    return node.apply(OpKind.MUL, x, x)


def _log_largest_share(node: Node, x: str, axis: int) -> str:
    """Emit the logarithm of the largest of a softmax: what lies between the largest and log(sum(exp(x)))."""
    shares = node.emit(OpKind.SOFTMAX, [x], AxisAttrs(axis))
    return node.apply(OpKind.LOG, _max(node, shares, ReduceAttrs((axis,), True)))


def softmax(node: Node) -> Sequence[str]:
    """Softmax along one axis; before opset 13 along the axis and all that follow it."""
    x, axis = _flattened(node)
    return [node.reshape(node.emit(OpKind.SOFTMAX, [x], AxisAttrs(axis)), node.shape(0))]


def log_softmax(node: Node) -> Sequence[str]:
    """x less the logarithm of the sum of exp(x), that is, less the largest and plus the log of its share."""
    x, axis = _flattened(node)
    centred = node.apply(OpKind.SUB, x, _max(node, x, ReduceAttrs((axis,), True)))
    result = node.apply(OpKind.ADD, centred, _log_largest_share(node, x, axis))
    return [node.reshape(result, node.shape(0))]


def _flattened(node: Node) -> tuple[str, int]:
    """Return the value to take a softmax of, and its axis."""
    shape = node.shape(0)
    axis = node.axis(node.attribute("axis", 1 if node.opset < 13 else -1), len(shape))
    if node.opset >= 13 or axis == len(shape) - 1:
        return node.value(0), axis
    return node.reshape(node.value(0), (prod(shape[:axis]), prod(shape[axis:]))), 1


def lp_normalization(node: Node) -> Sequence[str]:
    """x divided by its L1 or L2 norm along one axis."""
    power = int(node.attribute("p", 2))
    node.refuse(power not in (1, 2), f"p {power}", "1 or 2")
    x, kept = node.value(0), ReduceAttrs((node.axis(node.attribute("axis", -1), node.rank(0)),), True)
    if power == 1:
        return [node.apply(OpKind.DIV, x, _sum(node, node.apply(OpKind.ABS, x), kept))]
    return [node.apply(OpKind.DIV, x, node.apply(OpKind.SQRT, _sum(node, _square(node, x), kept)))]
