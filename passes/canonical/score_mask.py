"""Read a mask that is an input of the network: numbers that are added to the scores of keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array


@dataclass(frozen=True, slots=True)
class ScoreMask:
    """factor * value + offset, added to the scores of each key; value is an input of one element per key."""

    value: str
    factor: float = 1.0
    offset: float = 0.0

    def times(self, factor: float) -> ScoreMask:
        """Return the mask with what it adds multiplied."""
        return replace(self, factor=self.factor * factor, offset=self.offset * factor)


def read_mask(name: str, keys: int, graph: Graph, made: Mapping[str, Op]) -> ScoreMask | None:
    """Return what a value adds to the scores of `keys` keys, None if it is not made of an input alone.

    Read upwards: reshapes, repetitions for heads and queries, and sums, differences and products with a
    number.
    """
    factor, offset = 1.0, 0.0
    while name not in graph.inputs:
        op = made.get(name)
        if op is None or graph.types[name].shape[-1] != keys:
            return None
        if op.kind in (OpKind.RESHAPE, OpKind.EXPAND):
            name = op.inputs[0]
            continue
        first, second = (_number(graph.constants.get(each)) for each in (op.inputs[0], op.inputs[-1]))
        number = second if first is None else first
        if number is None or (first is not None and second is not None):
            return None
        if op.kind is OpKind.MUL:
            factor *= number
        elif op.kind is OpKind.DIV and first is None and number:
            factor /= number
        elif op.kind is OpKind.ADD:
            offset += factor * number
        elif op.kind is OpKind.SUB:
            offset, factor = (
                (offset - factor * number, factor)
                if first is None
                else (
                    offset + factor * number,
                    -factor,
                )
            )
        else:
            return None
        name = op.inputs[0] if first is None else op.inputs[1]
    elements = graph.types[name].elements
    return ScoreMask(name, factor, offset) if elements == keys and factor else None


def _number(constant: Array | None) -> float | None:
    """Return the number that all elements of a constant are, if it is one."""
    if constant is None or not constant.size or bool((constant != constant.flat[0]).any()):
        return None
    return float(constant.flat[0])
