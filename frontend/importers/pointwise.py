"""Importers of ops that compute each element from one element of each operand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from tmc.frontend.node import Node
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.graph import OpKind

Importer = Callable[[Node], Sequence[str]]
# A number that masks give to scores that do not count, or less: beside it no score shows in float32.
NEVER = -1e9


def unary(kind: OpKind) -> Importer:
    """Return the importer of an op that the IR has."""
    return lambda node: [node.apply(kind, node.value(0))]


def binary(kind: OpKind) -> Importer:
    """Return the importer of an op of two operands that the IR has."""
    return lambda node: [node.apply(kind, node.value(0), node.value(1))]


def joined(kind: OpKind) -> Importer:
    """Return the importer of an op of one operand or more, joined from left to right."""
    return lambda node: [_joined(node, kind)]


def _joined(node: Node, kind: OpKind) -> str:
    values = [node.value(index) for index in range(len(node.proto.input))]
    return reduce(lambda left, right: node.apply(kind, left, right), values)


def mean(node: Node) -> Sequence[str]:
    """Mean of the operands, element by element."""
    return [node.apply(OpKind.MUL, _joined(node, OpKind.ADD), 1.0 / len(node.proto.input))]


def reciprocal(node: Node) -> Sequence[str]:
    """1 / x."""
    return [node.apply(OpKind.DIV, 1.0, node.value(0))]


def sign(node: Node) -> Sequence[str]:
    """-1, 0 or 1."""
    x = node.value(0)
    return [node.apply(OpKind.SUB, node.apply(OpKind.STEP, x), node.apply(OpKind.STEP, negated(node, x)))]


def negated(node: Node, x: str) -> str:
    """Emit -x."""
    return node.apply(OpKind.NEG, x)


def opposite(node: Node, truth: str) -> str:
    """Emit 1 - x, which is the opposite of a truth value: 1 for true, 0 for false."""
    return node.apply(OpKind.SUB, 1.0, truth)


def greater(node: Node) -> Sequence[str]:
    """x > y."""
    return [_greater(node, 0, 1)]


def less(node: Node) -> Sequence[str]:
    """x < y."""
    return [_greater(node, 1, 0)]


def greater_or_equal(node: Node) -> Sequence[str]:
    """x >= y: not x < y."""
    return [opposite(node, _greater(node, 1, 0))]


def less_or_equal(node: Node) -> Sequence[str]:
    """x <= y: not x > y."""
    return [opposite(node, _greater(node, 0, 1))]


def _greater(node: Node, left: int, right: int) -> str:
    return node.apply(OpKind.STEP, node.apply(OpKind.SUB, node.value(left), node.value(right)))


def equal(node: Node) -> Sequence[str]:
    """x == y."""
    distance = node.apply(OpKind.ABS, node.apply(OpKind.SUB, node.value(0), node.value(1)))
    return [opposite(node, node.apply(OpKind.STEP, distance))]


def not_(node: Node) -> Sequence[str]:
    """Opposite of a truth value."""
    return [opposite(node, node.value(0))]


def ceil(node: Node) -> Sequence[str]:
    """The integer at or above."""
    return [negated(node, node.apply(OpKind.FLOOR, negated(node, node.value(0))))]


def where(node: Node) -> Sequence[str]:
    """Choose by a condition: x * c + y * (1 - c), exact for finite numbers.

    Where a computed condition chooses -1e9 or less, as masks do, y + x c: beside that y does not show.
    """
    if not node.is_known(0) and node.is_known(1) and bool((node.known(1, "x") <= NEVER).all()):
        away = node.apply(OpKind.MUL, node.value(1), node.value(0))
        return [node.apply(OpKind.ADD, node.value(2), away)]
    if node.is_known(0):
        condition = node.known(0, "condition").astype(np.float32)
        masks = [node.constant(mask, f"{node.loc}.mask") for mask in (condition, 1 - condition)]
    else:
        masks = [node.value(0), opposite(node, node.value(0))]
    chosen = (node.apply(OpKind.MUL, node.value(index), masks[index - 1]) for index in (1, 2))
    return [node.apply(OpKind.ADD, *chosen)]


def clip(node: Node) -> Sequence[str]:
    """Clip to known limits."""
    low, high = limits(node)
    if (low, high) == (0.0, UNLIMITED):
        return [node.apply(OpKind.RELU, node.value(0))]
    return [node.apply(OpKind.CLIP, node.value(0), low, high)]


def limits(node: Node) -> tuple[float, float]:
    """Return the limits of a Clip: attributes before opset 11, operands since."""
    ends = []
    for index, name, unlimited in ((1, "min", -UNLIMITED), (2, "max", UNLIMITED)):
        known = node.known(index, name) if node.has(index) else np.array(node.attribute(name, unlimited))
        node.refuse(known.size != 1, f"{known.size} numbers as {name}", "one")
        ends.append(min(max(float(known.reshape(-1)[0]), -UNLIMITED), UNLIMITED))
    return ends[0], ends[1]
