"""Choose how every add is computed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tmc.ir.attrs import ConvertAttrs
from tmc.ir.graph import Graph, OpKind
from tmc.ir.ops import WEIGHTED
from tmc.passes.integer_ops.activation_table import ACTIVATIONS

# What can be stored as int8, what as int16; some as both, as their readers ask.
_INT8 = WEIGHTED | ACTIVATIONS.keys() | {OpKind.ATTENTION, OpKind.LAYERNORM}
_INT16 = frozenset({OpKind.LINEAR, OpKind.LAYERNORM})
# Stored as the operand is; blends are of int16 values alone.
_AS_OPERAND = frozenset(
    {OpKind.RESHAPE, OpKind.PERMUTE_ROWS, OpKind.TRANSPOSE, OpKind.MAX_ROWS, OpKind.CLIP, OpKind.GATHER}
)


@dataclass(frozen=True, slots=True)
class Sums:
    """How each add is computed: inside a linear, as a sum of two int8 values, or as one with an int16 result.

    fused: per add the result of the linear that takes it in.
    """

    fused: Mapping[str, str]
    int8: frozenset[str]
    int16: frozenset[str]


def choose_sums(
    graph: Graph,
    fusable: Mapping[str, Sequence[str]],
    narrow: Collection[str] = (),
    wide_values: Collection[str] = (),
) -> Sums:
    """Return the cheapest form of every add of a canonical graph.

    fusable: for each add the linear results, clipped or not, that it alone reads, the latest last. An add of
    one of them, made of int8, and of a value that can be int16 is a part of that linear. Two values that can
    be int8 give an int8 sum. What is left is added in int16. narrow: the inputs that are int8. wide_values:
    computed values that are int16 whoever reads them.
    """
    int8 = set(narrow)
    int16 = set(graph.inputs) - int8
    of_int16: set[str] = set()  # linear results that no kernel adds; a clip of one can be added
    of_wide: set[str] = set()
    sums, fused, wide = set(), {}, set()
    for op in graph.ops:
        if op.kind is OpKind.LINEAR and op.inputs[0] in int16 - int8:
            of_int16.add(op.output)
            of_wide |= {op.output} if op.inputs[0] in wide_values else set()
        if op.kind in (OpKind.ADD, OpKind.SUB):
            linears = fusable.get(op.output, ())
            branch = _branch(op.inputs, [name for name in linears if name not in of_int16], int16)
            # Where 16 bits are asked for, a sum that its linear cannot take in is as fine as if it could.
            coarse = of_wide.isdisjoint(linears)
            if branch is not None:
                fused[op.output] = branch
                int16.add(op.output)
            elif coarse and int8.issuperset(op.inputs) and op.output not in wide_values:
                sums.add(op.output)
                int8.add(op.output)
            else:
                wide.add(op.output)
                int16.add(op.output)
            continue
        if isinstance(op.attrs, ConvertAttrs):
            (int8 if op.attrs.form == "int8" else int16).add(op.output)
            continue
        if op.kind is OpKind.CONCAT:
            parts = [name for name in op.inputs if name not in graph.constants]
            narrow_parts = int8.issuperset(parts)
            if narrow_parts and op.output not in wide_values:
                int8.add(op.output)
            if not narrow_parts or int16.issuperset(parts):
                int16.add(op.output)
        same = op.kind in _AS_OPERAND and op.inputs[0] in int8
        if (op.kind in _INT8 or same) and op.output not in wide_values:
            int8.add(op.output)
        same = op.kind in _AS_OPERAND | {OpKind.INTERPOLATE_ROWS} and op.inputs[0] in int16
        if op.kind in _INT16 or same or (op.kind is OpKind.ATTENTION and op.output in wide_values):
            int16.add(op.output)
    return Sums(fused, frozenset(sums), frozenset(wide))


def _branch(inputs: tuple[str, ...], branches: Sequence[str], int16: Collection[str]) -> str | None:
    """Return the latest of the linear results that can be added to the other operand, an int16 value."""
    for name in reversed(branches):
        if inputs[1 - inputs.index(name)] in int16:
            return name
    return None
