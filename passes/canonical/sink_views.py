"""Move views behind the arithmetic, and collapse what is left of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tmc.ir.attrs import LayerNormAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import MOVES, OPS, POINTWISE
from tmc.ir.types import Array
from tmc.passes.views.emit_view import emit_view, is_in_order


@dataclass(frozen=True, slots=True)
class _Place:
    """A value as elements of a value that the new graph computes; index None means all of them, in order."""

    source: str
    index: Array | None
    loc: str


def sink_views(graph: Graph) -> Graph:
    """Compute element-wise ops in the shape in which their operands were computed, and LayerNorm in 2-D.

    Views are followed as index arrays and written again only where an op needs its operand in another order:
    as one reshape, or one gather. A chain of views that adds up to nothing is gone.
    1. gelu(view(x)) becomes view(gelu(x)), view(x) + view(y) becomes view(x + y), where the view is a
       reordering of all elements, the same for both.
    2. layernorm(view(x)) becomes view(layernorm(x)) on [rows, columns] where the view is a reshape.
    Exact: the same arithmetic on the same elements.
    """
    sinking = _Sinking(graph)
    for op in graph.ops:
        sinking.add(op)
    return sinking.finish()


class _Sinking:
    """The new graph so far, and where in it each old value is."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._builder = GraphBuilder.like(graph)
        self._places = {name: _Place(name, None, name) for name in graph.inputs}
        self._written: dict[tuple[str, tuple[int, ...]], str] = {}

    def add(self, op: Op) -> None:
        """Translate one op."""
        if op.kind in MOVES and op.inputs[0] in self._places:
            self._places[op.output] = self._view(op)
        elif op.kind in POINTWISE:
            self._places[op.output] = self._element_wise(op)
        elif isinstance(op.attrs, LayerNormAttrs):
            shape = self._graph.types[op.output].shape
            x = self._in_shape(op.inputs[0], (prod(shape[:-1]), shape[-1]))
            result = self._builder.op(op.kind, [x, *op.inputs[1:]], op.attrs, op.loc, op.output)
            self._places[op.output] = _Place(result, None, op.loc)
        else:
            operands = [self._operand(name) for name in op.inputs]
            self._builder.op(op.kind, operands, op.attrs, op.loc, op.output)
            self._places[op.output] = _Place(op.output, None, op.loc)

    def finish(self) -> Graph:
        """Return the new graph, with the outputs in their declared shapes."""
        for output in self._graph.outputs:
            value = self._operand(output)
            if value != output:
                self._builder.forward(output, value)
        return self._builder.graph()

    def _view(self, op: Op) -> _Place:
        before = self._places[op.inputs[0]]
        if op.kind is OpKind.RESHAPE:
            return _Place(before.source, before.index, op.loc)
        shape = self._graph.types[op.inputs[0]].shape
        index = np.arange(prod(shape), dtype=np.int32) if before.index is None else before.index
        moved = np.asarray(OPS[op.kind].evaluate([index.reshape(shape)], op.attrs)).reshape(-1)
        ordered = is_in_order(moved, self._builder.type_of(before.source).elements)
        return _Place(before.source, None if ordered else moved, op.loc)

    def _element_wise(self, op: Op) -> _Place:
        """Compute where the first computed operand is, if the other one can be had in that order."""
        computed = [self._places[name] for name in op.inputs if name in self._places]
        first = computed[0] if computed else None
        shape = self._graph.types[op.output].shape
        operands: list[str] | None = None
        if first is not None and self._covers(first, prod(shape)):
            found = [self._aligned(name, first, shape) for name in op.inputs]
            operands = [name for name in found if name is not None]
        if first is None or operands is None or len(operands) < len(op.inputs):
            self._builder.op(
                op.kind, [self._operand(name) for name in op.inputs], op.attrs, op.loc, op.output
            )
            return _Place(op.output, None, op.loc)
        result = self._builder.op(op.kind, operands, op.attrs, op.loc, op.output)
        return _Place(result, first.index, op.loc)

    def _covers(self, place: _Place, elements: int) -> bool:
        """Tell whether a value is a reordering of all elements of its source."""
        if self._builder.type_of(place.source).elements != elements:
            return False
        return place.index is None or np.unique(place.index).size == elements == place.index.size

    def _aligned(self, name: str, like: _Place, shape: tuple[int, ...]) -> str | None:
        """Return an operand in the order and shape of like.source; None if it is in another order."""
        target = self._builder.type_of(like.source).shape
        constant = self._graph.constants.get(name)
        if constant is not None:
            if constant.size == 1:
                return name
            if like.index is None and shape == target:
                return name
            full = np.broadcast_to(constant, shape).reshape(-1)
            ordered = np.empty_like(full)
            ordered[slice(None) if like.index is None else like.index] = full
            return self._builder.constant(ordered.reshape(target), name)
        place = self._places[name]
        if self._graph.types[name].elements != prod(shape) or not self._covers(place, prod(shape)):
            return None
        if place.index is None or like.index is None:
            if place.index is not like.index:
                return None
        elif not np.array_equal(place.index, like.index):
            return None
        return self._reshaped(place.source, target, place.loc)

    def _operand(self, name: str) -> str:
        """Return an operand in its declared shape."""
        return self._in_shape(name, self._graph.types[name].shape)

    def _in_shape(self, name: str, shape: Sequence[int]) -> str:
        place = self._places.get(name)
        if place is None:
            return self._builder.reshape(name, shape, name)
        if place.index is None:
            return self._reshaped(place.source, tuple(shape), place.loc)
        key = (name, tuple(shape))
        if key not in self._written:
            self._written[key] = emit_view(self._builder, place.source, place.index, shape, place.loc)
        return self._written[key]

    def _reshaped(self, source: str, shape: tuple[int, ...], loc: str) -> str:
        if self._builder.type_of(source).shape == shape:
            return source
        key = (source, shape)
        if key not in self._written:
            self._written[key] = self._builder.reshape(source, shape, loc)
        return self._written[key]
