"""Round and Clip as codes: what quantisers write out with ordinary ops, and layers that round by hand.

Brevitas by DeepQuant writes Clip(Round(x / scale + zero_point), low, high), takes these integers as the
operand of a linear op, and multiplies behind it. A Round between limits becomes one op that rounds to codes
of scale 1, on whichever side of it the Clip stands.
"""

from __future__ import annotations

from collections.abc import Sequence

from tmc.frontend.importers.pointwise import clip, limits
from tmc.frontend.node import Node
from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.ir.graph import OpKind

# The lowest and the highest integer of each type of codes, and how far codes of the graph lie below.
_TYPES = ((-128, 127, 0), (0, 255, 128), (-(2**15), 2**15 - 1, 0), (0, 2**16 - 1, 2**15))


def clip_or_codes(node: Node) -> Sequence[str]:
    """Clip to known limits; of what a Round gives, that makes codes."""
    rounded = node.rounded(0)
    if rounded is not None:
        return [_codes(node, rounded, *limits(node))]
    results = clip(node)
    node.declare_clipped(*limits(node))
    return results


def round_(node: Node) -> Sequence[str]:
    """Round to even: codes behind a Clip, else what only a Clip may read."""
    clipped = node.clipped(0)
    if clipped is not None and all(end == round(end) for end in clipped[1:]):
        return [_codes(node, *clipped)]
    node.declare_rounded()
    return [node.value(0)]


def _codes(node: Node, value: str, low: float, high: float) -> str:
    found = [shift for least, most, shift in _TYPES if least <= low <= high <= most]
    whole = low == round(low) and high == round(high)
    node.refuse(
        not found or not whole,
        f"what is rounded between {low:g} and {high:g}",
        "integers of at most 16 bits as limits",
    )
    attrs = FakeQuantiseAttrs(1.0, -found[0], int(low) - found[0], int(high) - found[0])
    node.declare_integers()
    return node.emit(OpKind.FAKE_QUANTISE, [value], attrs)
