"""Choose which inputs of a network are int8: those of 8 bits whose readers all take int8."""

from __future__ import annotations

from collections.abc import Collection
from math import prod

from tmc.ir.graph import Graph, Op, OpKind, uses, values_through
from tmc.passes.recipe import Recipe
from tmc.passes.scales.value_roles import READS, Role, is_masked

NARROW_BITS = 8
WORD_BYTES = 4  # nothing lies between the rows of what the caller gives, and kernels read words
_SEEN_THROUGH = frozenset(
    {OpKind.RESHAPE, OpKind.PERMUTE_ROWS, OpKind.TRANSPOSE, OpKind.MAX_ROWS, OpKind.CLIP}
)


def narrow_inputs(graph: Graph, recipe: Recipe, declared: Collection[str]) -> frozenset[str]:
    """Return the inputs whose codes are int8. declared: values that the model rounds to 8 bits.

    An input of 8 bits with another reader keeps them in int16.
    """
    readers = uses(graph)
    found = set()
    for name in graph.inputs:
        if recipe.input_bits > NARROW_BITS and name not in declared:
            continue
        views = values_through(readers, name, _SEEN_THROUGH)
        reads = ((op, view) for view in views for op in readers.get(view, ()))
        if all(_takes_int8(graph, op, view) for op, view in reads):
            found.add(name)
    return frozenset(found)


def _takes_int8(graph: Graph, op: Op, value: str) -> bool:
    """Tell whether an op reads a value as int8: rows of words, and no bias for each group of rows."""
    if op.kind is OpKind.RESHAPE:
        return True
    if op.kind is OpKind.ADD or (is_masked(op) and value == op.inputs[3]):
        return False
    shape = graph.types[value].shape
    if shape[-1] % WORD_BYTES and prod(shape) > shape[-1]:
        return False
    if op.kind is OpKind.LINEAR and len(graph.constants[op.inputs[2]]) > 1:
        return False
    return all(
        Role.ACTIVATION in roles
        for operand, roles in zip(op.inputs, READS.get(op.kind, ()), strict=False)
        if operand == value
    )
