"""Where each value of a graph lies among the values that a pass writes, and how to write it out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph
from tmc.ir.types import Array
from tmc.passes.views.emit_view import as_matrix, emit_view


@dataclass(frozen=True, slots=True)
class Place:
    """A value as elements of a value that the new graph computes; index None means all of them, in order."""

    source: str
    index: Array | None
    loc: str


class Places:
    """The places of the values of one graph in the new graph that a builder collects."""

    def __init__(self, graph: Graph, builder: GraphBuilder) -> None:
        self._graph = graph
        self._builder = builder
        self._places = {name: Place(name, None, name) for name in graph.inputs}
        self._written: dict[tuple[str, bytes], str] = {}
        self._reshaped: dict[tuple[str, tuple[int, ...]], str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __setitem__(self, name: str, place: Place) -> None:
        self._places[name] = place

    def __getitem__(self, name: str) -> Place:
        """Return where a value is: where it was written out, if it was."""
        place = self._places[name]
        if place.index is None:
            return place
        written = self._written.get((place.source, place.index.tobytes()))
        return place if written is None else Place(written, None, place.loc)

    def elements_of(self, name: str) -> Array:
        """Return which elements of its source a value is, in its declared shape."""
        place, shape = self[name], self._graph.types[name].shape
        index = place.index
        if index is None:
            index = np.arange(self._graph.types[name].elements, dtype=np.int32)
        return index.reshape(shape)

    def covers(self, name: str) -> bool:
        """Tell whether a value is a reordering of all elements of its source."""
        place, elements = self[name], self._graph.types[name].elements
        if place.index is None:
            return True
        if self._builder.type_of(place.source).elements != elements:
            return False
        return np.unique(place.index).size == elements

    def in_shape(self, name: str, shape: Sequence[int]) -> str:
        """Return a value, or a constant, in a shape, its elements in their declared order."""
        if name not in self._places:
            return self._builder.reshape(name, shape, name)
        place = self[name]
        if place.index is None:
            return self.reshaped(place.source, tuple(shape), place.loc)
        return self.reshaped(self.written(place, as_matrix(shape)), tuple(shape), place.loc)

    def written(self, place: Place, shape: tuple[int, ...]) -> str:
        """Return elements of a value as a value, of this shape if they were not written out before."""
        if place.index is None:
            return self.reshaped(place.source, shape, place.loc)
        key = (place.source, place.index.tobytes())
        if key not in self._written:
            self._written[key] = emit_view(self._builder, place.source, place.index, shape, place.loc)
        return self._written[key]

    def reshaped(self, source: str, shape: tuple[int, ...], loc: str) -> str:
        """Return a value in another shape; the same one for all who ask."""
        if self._builder.type_of(source).shape == shape:
            return source
        key = (source, shape)
        if key not in self._reshaped:
            self._reshaped[key] = self._builder.reshape(source, shape, loc)
        return self._reshaped[key]
