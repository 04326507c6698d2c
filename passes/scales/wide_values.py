"""Values that are to be stored in int16 where the recipe would take int8."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.passes.scales.value_roles import SAME_AS_OPERAND

# Names that a message suggests.
_NEAR = 5


def wide_values(graph: Graph, asked: Collection[str]) -> frozenset[str]:
    """Return the computed values of a canonical graph that are asked for, by their names or those of nodes.

    A node that makes V together with Q and K means these two: V has 8 bits.

    Raises: QuantisationError for a name that is none of either.
    """
    only_v = frozenset(graph.constants).union(
        *(op.inputs[2:] for op in graph.ops if op.kind is OpKind.ATTENTION)
    )
    computed = [op for op in graph.ops if op.kind not in SAME_AS_OPERAND | {OpKind.CONVERT}]
    found: set[str] = set()
    for name in sorted(asked):
        named = {op.output for op in computed if name in (op.output, op.loc)}
        if not named:
            names = list(dict.fromkeys(name for op in computed for name in (op.loc, op.output)))
            near = get_close_matches(name, names, _NEAR, 0.0)
            raise QuantisationError(
                "--bits",
                f"found {name}, allowed a node or its value, such as {', '.join(near)}",
                "views and clips have the bits of what they are made of, and inputs have 16 bits already",
            )
        found |= named - only_v or named
    return frozenset(found)
