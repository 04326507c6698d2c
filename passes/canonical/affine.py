"""Read ops that multiply by constants and add constants, element by element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import MOVES
from tmc.ir.types import Array

AFFINE = frozenset({OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.DIV, OpKind.NEG})
_COMMUTES = MOVES | AFFINE | {OpKind.CONCAT}


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A value as factor * x + offset; the arrays are float64, and broadcast to the shape of x."""

    x: str
    factor: Array
    offset: Array


def affine(op: Op, graph: Graph) -> Affine | None:
    """Return what an op does to its one computed operand, if it is affine and keeps the shape."""
    if op.kind is OpKind.NEG:
        x = op.inputs[0]
        return None if x in graph.constants else Affine(x, np.array(-1.0), np.array(0.0))
    if op.kind not in AFFINE:
        return None
    for place, (x, other) in enumerate((op.inputs, op.inputs[::-1])):
        constant = graph.constants.get(other)
        whole = x not in graph.constants and graph.types[x].shape == graph.types[op.output].shape
        if constant is None or not whole:
            continue
        c = constant.astype(np.float64)
        if op.kind is OpKind.MUL:
            return Affine(x, c, np.array(0.0))
        if op.kind is OpKind.ADD:
            return Affine(x, np.array(1.0), c)
        if op.kind is OpKind.SUB:
            return Affine(x, np.array(-1.0 if place else 1.0), c if place else -c)
        if not place and bool((c != 0).all()):
            return Affine(x, 1 / c, np.array(0.0))
    return None


def per_column(array: Array, shape: tuple[int, ...]) -> Array | None:
    """Return the one row of an array that is broadcast to [.., C], if all its rows are equal."""
    full = np.broadcast_to(array, shape)
    rows = full.reshape(-1, shape[-1])
    return np.array(rows[0]) if bool((rows == rows[:1]).all()) else None


def is_scale_of_scores(op: Op, found: Affine, graph: Graph, readers: Mapping[str, tuple[Op, ...]]) -> bool:
    """Tell whether an op multiplies by one number what products of two computed values alone read.

    Between them may lie what commutes with the number: moves, and the products and sums of a rotation.
    """
    one = found.factor.size and bool((found.factor == found.factor.flat[0]).all())
    if not one or bool((found.offset != 0).any()):
        return False
    waiting, seen, products = [op.output], {op.output}, 0
    while waiting:
        value = waiting.pop()
        if value in graph.outputs:
            return False
        for reader in readers.get(value, ()):
            computed = not any(name in graph.constants for name in reader.inputs)
            if reader.kind is OpKind.MATMUL and computed:
                products += 1
            elif reader.kind not in _COMMUTES or (reader.kind in (OpKind.ADD, OpKind.SUB) and not computed):
                return False
            elif reader.output not in seen:
                seen.add(reader.output)
                waiting.append(reader.output)
    return products > 0
