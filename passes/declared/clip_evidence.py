"""What samples say about the ranges of a quantised model: which cut, and what that does to its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import Array
from tmc.passes.declared.adopt_scales import Declared, strip_quantisers

Sample = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Reach:
    """The least and the largest number that reaches a rounding, and the samples in which they do."""

    low: float
    high: float
    low_sample: int
    high_sample: int

    def beyond(self, entry: Declared) -> bool:
        """Tell whether a range takes away more than rounding does."""
        low, high = entry.attrs.limits
        return self.low < low - entry.attrs.scale / 2 or self.high > high + entry.attrs.scale / 2


def reaches(graph: Graph, samples: Sequence[Sample]) -> dict[str, Reach]:
    """Return what reaches every rounding of a model, by its result's name; all ranges before it hold."""
    clipped, declared = strip_quantisers(graph, all_of(graph))
    if not declared:
        return {}
    read = {op.output: op.inputs[0] for op in clipped.ops if op.kind is OpKind.CLIP}
    ends: dict[str, list[tuple[float, float]]] = {value: [] for value in read.values()}
    for sample in samples:

        def observe(name: str, array: Array) -> None:
            if name in ends:
                ends[name].append((float(array.min()), float(array.max())))

        for name, array in sample.items():
            observe(name, array)
        interpret(clipped, sample, observe)
    found = {}
    for entry in declared:
        if entry.name in read:  # others have no way to the outputs
            low, high = np.array(ends[read[entry.name]]).T
            least, most = int(low.argmin()), int(high.argmax())
            found[entry.name] = Reach(float(low[least]), float(high[most]), least, most)
    return found


def at_8_bits(graph: Graph) -> Graph:
    """Return a model with its int16 codes as int8 ones of the same range.

    What ops read is int8 at most places: a range that shows less than that needs no place of its own.
    """
    ops = tuple(
        replace(op, attrs=_coarse(op.attrs))
        if isinstance(op.attrs, FakeQuantiseAttrs) and op.attrs.wide
        else op
        for op in graph.ops
    )
    return replace(graph, ops=ops)


def _coarse(attrs: FakeQuantiseAttrs) -> FakeQuantiseAttrs:
    scale = attrs.scale * (attrs.high - attrs.low) / 255
    low, _ = attrs.limits
    return FakeQuantiseAttrs(scale, -128 - round(low / scale))


def all_of(graph: Graph) -> frozenset[str]:
    """Return the names of the results of all roundings of a graph."""
    return frozenset(op.output for op in graph.ops if op.kind is OpKind.FAKE_QUANTISE)


def without(graph: Graph, names: Iterable[str]) -> Graph:
    """Return the float graph in which the range of every rounding holds, but for some."""
    return strip_quantisers(graph, all_of(graph) - frozenset(names))[0]


def distance(one: Graph, other: Graph, samples: Sequence[Sample]) -> float:
    """Return the squared differences of the outputs of two graphs, added up."""
    total = 0.0
    for sample in samples:
        found, others = interpret(one, sample), interpret(other, sample)
        for name, array in found.items():
            total += float(np.square(array.astype(np.float64) - others[name]).sum())
    return total
