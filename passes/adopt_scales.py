"""Keep the scales of a quantised model whose ops take the integer forms of this compiler.

Its roundings are taken out of the graph, so that the recognisers find attention and LayerNorm. Passes move
and
rename values, but do not change them: so what the model declares about a value is found again, in the
canonical
graph, by the elements of the value on one sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import Array

# Passes fold constants in float32, so that equal values differ in their last bits.
EQUAL = 1e-5


@dataclass(frozen=True, slots=True)
class Declared:
    """What a model declares about the float value `value`: its int8 codes."""

    value: str
    attrs: FakeQuantiseAttrs


def strip_quantisers(graph: Graph) -> tuple[Graph, tuple[Declared, ...]]:
    """Return the float graph without its roundings, and what they declare about the values they round."""
    builder = GraphBuilder.like(graph)
    declared: list[Declared] = []
    for op in graph.ops:
        if isinstance(op.attrs, FakeQuantiseAttrs):
            builder.forward(op.output, op.inputs[0])
            declared.append(Declared(builder.current(op.inputs[0]), op.attrs))
        else:
            builder.keep(op)
    return builder.graph(), tuple(declared)


def adopt_scales(
    stripped: Graph, canonical: Graph, declared: tuple[Declared, ...], sample: Mapping[str, Array]
) -> dict[str, FakeQuantiseAttrs]:
    """Return the declared codes of the inputs and computed values of the canonical graph that have some.

    Values are the same where their elements, sorted, are. Where the model declares several scales for one
    value, the last one counts: it is what the ops behind read.
    """
    before, after = _values(stripped, sample), _values(canonical, sample)
    shaped = {*canonical.inputs, *(op.output for op in canonical.ops if op.kind is not OpKind.RESHAPE)}
    found: dict[str, FakeQuantiseAttrs] = {}
    for entry in declared:
        wanted = before.get(entry.value)
        if wanted is None:
            continue
        limit = EQUAL * max(float(np.abs(wanted).max()), 1e-30)
        for name, values in after.items():
            if name in shaped and values.size == wanted.size and np.abs(values - wanted).max() <= limit:
                found[name] = entry.attrs
    return found


def _values(graph: Graph, sample: Mapping[str, Array]) -> dict[str, Array]:
    """Return the sorted elements of every input and every computed value."""
    values = {name: np.sort(array, axis=None) for name, array in sample.items()}
    interpret(graph, sample, lambda name, array: values.update({name: np.sort(array, axis=None)}))
    return values
