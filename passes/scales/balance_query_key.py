"""Give the columns of Q and K equal ranges: a factor that one is divided by multiplies the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.types import Array
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.rescaled import Rescaled

SMALLEST = 1e-5


def balance_query_key(graph: Graph, ranges: Ranges, recipe: Recipe = DEFAULT) -> tuple[Graph, Ranges]:
    """Return an equal float graph, and its ranges, in which no column of Q or K stands out.

    A score is a sum of q_c k_c, so column c of Q may be divided, and that of K multiplied, by
    sqrt(range of q_c / range of k_c): both then have the geometric mean of the two ranges. Columns that a
    rotation mixes, 2i and 2i + 1, take one factor. It costs nothing at run time: weights have a scale for
    each output channel anyway. V is left alone: what equal columns of the attention output gain, unequal ones
    of V lose.
    Source: the equalisation of Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
    Correction", ICCV 2019, section 4.1, with the two layers of a score.
    """
    if not recipe.balance_query_key:
        return graph, ranges
    made_by, readers = producers(graph), uses(graph)
    rescaled = Rescaled(graph, ranges)
    for op in graph.ops:
        if op.kind is not OpKind.ATTENTION or len(set(op.inputs)) < len(op.inputs):
            continue
        query, key = (_chain(graph, made_by, readers, name) for name in op.inputs[:2])
        if query and key:
            rotated = len(query) > 1 or len(key) > 1
            ratio = _magnitude(ranges, query[-1], rotated) / _magnitude(ranges, key[-1], rotated)
            _divide(rescaled, query, np.sqrt(ratio))
            _divide(rescaled, key, 1.0 / np.sqrt(ratio))
    return rescaled.result()


def _chain(
    graph: Graph, made_by: Mapping[str, Op], readers: Mapping[str, tuple[Op, ...]], name: str
) -> tuple[Op, ...]:
    """Return the linear op of an operand and the rotation behind it, if any; nothing if others read them."""
    found: list[Op] = []
    while name in made_by and len(readers[name]) == 1 and name not in graph.outputs:
        op = made_by[name]
        found.insert(0, op)
        if op.kind is OpKind.LINEAR:
            return tuple(found) if all(name in graph.constants for name in op.inputs[1:]) else ()
        if op.kind is not OpKind.ROPE:
            break
        name = op.inputs[0]
    return ()


def _magnitude(ranges: Ranges, op: Op, rotated: bool) -> Array:
    magnitude = np.maximum(ranges.values[op.output].column_magnitude, SMALLEST).astype(np.float64)
    return np.repeat(magnitude.reshape(-1, 2).max(axis=1), 2) if rotated else magnitude


def _divide(rescaled: Rescaled, chain: tuple[Op, ...], factor: Array) -> None:
    linear = chain[0]
    weight, bias = rescaled.constant(linear, 1), rescaled.constant(linear, 2)
    rescaled.set(linear, 1, weight / factor[:, None], f"{linear.output}.weight_balanced")
    rescaled.set(linear, 2, bias / factor, f"{linear.output}.bias_balanced")
    for op in chain:
        rescaled.divide(op.output, factor)
