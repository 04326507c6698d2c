"""Values before the last linears that are int16 because that costs next to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from tmc.ir.graph import Graph, Op, OpKind, uses, values_through
from tmc.passes.integer_ops.linear import takes_int16

# Products of int16 values take about twice the cycles: these linears may have so much of all products.
LARGEST_SHARE = 1 / 16
_MADE_BY = frozenset({OpKind.LAYERNORM, OpKind.ADD, OpKind.SUB})
# What changes no code of the result of a linear that is given as int32.
_THROUGH = frozenset({OpKind.RESHAPE, OpKind.PERMUTE_ROWS, OpKind.MAX_ROWS, OpKind.CLIP, OpKind.GATHER})


def last_values(graph: Graph) -> frozenset[str]:
    """Return the norms and sums of a canonical graph that only the last linears read, if these are small.

    A linear is last if its result is given to the caller, as that of a head is: sums of int32 whatever the
    codes of its operand are. What rounds the operand is in the output as it is: no token or block behind
    averages it away, and of one token there is little to calibrate on.
    """
    readers = uses(graph)
    products = {op.output: _products(graph, op) for op in graph.ops if op.kind is OpKind.LINEAR}
    room = LARGEST_SHARE * sum(products.values())
    found = set()
    for op in graph.ops:
        if op.kind in _MADE_BY:
            ends = _ends(readers, op.output)
            if ends and all(_is_last(graph, readers, end) for end in ends):
                found |= {op.output} if sum(products[end.output] for end in ends) <= room else set()
    return frozenset(found)


def _ends(readers: Mapping[str, tuple[Op, ...]], name: str) -> list[Op]:
    """Return the ops that read a value, seen through what moves or clips it."""
    values = values_through(readers, name, _THROUGH)
    return [op for value in values for op in readers.get(value, ()) if op.kind not in _THROUGH]


def _is_last(graph: Graph, readers: Mapping[str, tuple[Op, ...]], op: Op) -> bool:
    weight = graph.constants.get(op.inputs[1]) if op.kind is OpKind.LINEAR else None
    return weight is not None and takes_int16(weight, last=True) and not _ends(readers, op.output)


def _products(graph: Graph, linear: Op) -> int:
    """Count the multiply-accumulates of a linear."""
    return prod(graph.types[linear.output].shape) * graph.types[linear.inputs[0]].shape[-1]
