"""Keep the scales and the ranges of a quantised model whose ops take the integer forms of this compiler.

Its roundings are taken out of the graph, so that the recognisers find attention and LayerNorm. Passes move
and rename values, but do not change them: so what the model declares about a value is found again, in the
canonical graph, by the elements of the value on one sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tmc.ir.attrs import Attrs, FakeQuantiseAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import Array

# Passes fold constants in float32, so that equal values differ in their last bits.
EQUAL = 1e-5


@dataclass(frozen=True, slots=True)
class Declared:
    """What the rounding `name` of a model declares about the float value `value`: its int8 codes."""

    name: str
    value: str
    attrs: FakeQuantiseAttrs
    loc: str


Adopted = Mapping[str, tuple[Declared, ...]]


def strip_quantisers(
    graph: Graph, clipped: frozenset[str] = frozenset()
) -> tuple[Graph, tuple[Declared, ...]]:
    """Return the float graph without its roundings, and what they declare about the values they round.

    Those in `clipped`, by the name of their result, leave the clip to their range.
    """
    builder = GraphBuilder.like(graph)
    declared: list[Declared] = []
    for op in graph.ops:
        if not isinstance(op.attrs, FakeQuantiseAttrs):
            builder.keep(op)
            continue
        value = op.output if op.output in clipped else builder.current(op.inputs[0])
        declared.append(Declared(op.output, value, op.attrs, op.loc))
        if op.output in clipped:
            ends = zip(("low", "high"), op.attrs.limits, strict=True)
            limits = [
                builder.constant(np.array(end, np.float32), f"{op.output}.{name}") for name, end in ends
            ]
            builder.op(OpKind.CLIP, [op.inputs[0], *limits], Attrs(), op.loc, op.output)
        else:
            builder.forward(op.output, op.inputs[0])
    stripped = builder.graph()
    named = {builder.current(output): output for output in graph.outputs}  # a result takes its output's name
    return stripped, tuple(
        entry if entry.value in stripped.types else replace(entry, value=named.get(entry.value, entry.value))
        for entry in declared
    )


def adopt_scales(
    stripped: Graph, canonical: Graph, declared: tuple[Declared, ...], sample: Mapping[str, Array]
) -> dict[str, tuple[Declared, ...]]:
    """Return what is declared about each input and computed value of the canonical graph, in order.

    Values are the same where their elements, sorted, are. Where the model declares several scales for one
    value, the last one counts: it is what the ops behind read.
    """
    before, after = _values(stripped, sample), _values(canonical, sample)
    shaped = {*canonical.inputs, *(op.output for op in canonical.ops if op.kind is not OpKind.RESHAPE)}
    found: dict[str, tuple[Declared, ...]] = {}
    for entry in declared:
        wanted = before.get(entry.value)
        if wanted is None:
            continue
        limit = EQUAL * max(float(np.abs(wanted).max()), 1e-30)
        for name, values in after.items():
            if name in shaped and values.size == wanted.size and np.abs(values - wanted).max() <= limit:
                found[name] = (*found.get(name, ()), entry)
    return found


def _values(graph: Graph, sample: Mapping[str, Array]) -> dict[str, Array]:
    """Return the sorted elements of every input and every computed value."""
    values = {name: np.sort(array, axis=None) for name, array in sample.items()}
    interpret(graph, sample, lambda name, array: values.update({name: np.sort(array, axis=None)}))
    return values
