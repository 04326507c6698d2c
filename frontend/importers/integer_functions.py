"""Importers of functions of single integers, as QuantLib writes them into networks of RequantShift.

Sources: the integer GELU of I-BERT (Kim et al., ICML 2021, section 3.4) and the kernels that Deeploy runs
these ops with, which say how they round.
"""

from __future__ import annotations

from collections.abc import Sequence

from tmc.frontend.importers.pointwise import sign
from tmc.frontend.importers.quantised import number
from tmc.frontend.node import Node
from tmc.ir.graph import OpKind

LARGEST_CODE = 255
# Integers up to here are float32 numbers, and so are the sums and products below.
EXACT = 2**24


def integer_gelu(node: Node) -> Sequence[str]:
    """x floor((one + sign(x) (one - (min(|x|, -b) + b)^2)) / 2); b and one are integers, b at most 0."""
    b, one = (_integer(node, name, ("b", "one")) for name in ("b", "one"))
    node.refuse(b > 0, f"b {b}", "at most 0", "-b is the size from which GELU is x or 0")
    _refuse_large(node, LARGEST_CODE * (abs(one) + b * b), "b and one")
    x = node.value(0)
    size = node.apply(OpKind.MINIMUM, node.apply(OpKind.ABS, x), float(-b))
    distance = node.apply(OpKind.ADD, size, float(b))
    below = node.apply(OpKind.SUB, float(one), node.apply(OpKind.MUL, distance, distance))
    (side,) = sign(node)
    factor = node.apply(OpKind.ADD, node.apply(OpKind.MUL, side, below), float(one))
    half = node.apply(OpKind.FLOOR, node.apply(OpKind.MUL, factor, 0.5))
    return [node.apply(OpKind.MUL, x, half)]


def integer_hard_swish(node: Node) -> Sequence[str]:
    """x clip(x + three, 0, six) one_over_six; all three are integers."""
    names = ("one_over_six", "three", "six")
    factor, three, six = (_integer(node, name, names) for name in names)
    node.refuse(six < 0, f"six {six}", "0 or more")
    _refuse_large(node, LARGEST_CODE * max(six * abs(factor), 1), "six and one_over_six")
    x = node.value(0)
    shifted = node.apply(OpKind.ADD, x, float(three))
    clipped = node.apply(OpKind.CLIP, shifted, 0.0, float(six))
    return [node.apply(OpKind.MUL, x, node.apply(OpKind.MUL, clipped, float(factor)))]


def _integer(node: Node, name: str, names: tuple[str, ...]) -> int:
    node.refuse(
        not node.is_shifted,
        "an integer function without a RequantShift before it",
        "one of the codes that a RequantShift makes",
        "export the network as it is in floats, or with its RequantShift nodes",
    )
    found = number(node, name, " and ".join(names))
    node.refuse(found != int(found), f"{name} {found:g}", "an integer")
    return int(found)


def _refuse_large(node: Node, largest: int, what: str) -> None:
    node.refuse(
        largest >= EXACT,
        f"results of up to {largest:,} from {what}",
        f"less than {EXACT:,}",
        "use fewer bits for the constants of the function",
    )
