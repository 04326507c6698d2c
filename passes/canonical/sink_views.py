"""Move views behind the arithmetic, and collapse what is left of them."""

from __future__ import annotations

from math import prod

import numpy as np

from tmc.ir.attrs import ConcatAttrs, LayerNormAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import MOVES, OPS, POINTWISE
from tmc.ir.types import Array
from tmc.passes.views.emit_view import as_matrix, is_in_order
from tmc.passes.views.join import common_join, declared_join
from tmc.passes.views.places import Place, Places


def sink_views(graph: Graph) -> Graph:
    """Compute element-wise ops and concatenations on matrices, in the order in which operands were computed.

    Views are followed as index arrays and written again only where an op needs its operand in another order:
    as one reshape, or one gather. A chain of views that adds up to nothing is gone.
    1. gelu(view(x)) becomes view(gelu(x)), view(x) + view(y) becomes view(x + y), where the view is a
       reordering of all elements, the same for both. Operands in different orders are brought to that of one
       of them; what is broadcast becomes a row or a column where it is one for all.
    2. layernorm(view(x)) becomes view(layernorm(x)) on [rows, columns] where the view is a reshape.
    3. concat of values becomes concat of matrices below each other or side by side; of parts of one value, a
       view of it.
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
        self._places = Places(graph, self._builder)

    def add(self, op: Op) -> None:
        """Translate one op."""
        shape = self._graph.types[op.output].shape
        if op.kind in MOVES and op.inputs[0] in self._places:
            moved = np.asarray(OPS[op.kind].evaluate([self._places.elements_of(op.inputs[0])], op.attrs))
            source = self._places[op.inputs[0]].source
            self._places[op.output] = self._place(source, moved, op.loc)
        elif op.kind in POINTWISE:
            self._places[op.output] = self._element_wise(op, shape)
        elif isinstance(op.attrs, ConcatAttrs):
            self._places[op.output] = self._joined(op, shape, op.attrs.axis)
        elif isinstance(op.attrs, LayerNormAttrs):
            x = self._places.in_shape(op.inputs[0], as_matrix(shape))
            result = self._builder.op(op.kind, [x, *op.inputs[1:]], op.attrs, op.loc, op.output)
            self._places[op.output] = Place(result, None, op.loc)
        else:
            operands = [self._places.in_shape(name, self._graph.types[name].shape) for name in op.inputs]
            self._builder.op(op.kind, operands, op.attrs, op.loc, op.output)
            self._places[op.output] = Place(op.output, None, op.loc)

    def finish(self) -> Graph:
        """Return the new graph, with the outputs in their declared shapes."""
        for output in self._graph.outputs:
            value = self._places.in_shape(output, self._graph.types[output].shape)
            if value != output:
                self._builder.forward(output, value)
        return self._builder.graph()

    def _place(self, source: str, index: Array, loc: str) -> Place:
        """Return the place of elements of a source."""
        flat = np.ascontiguousarray(index.reshape(-1), dtype=np.int32)
        ordered = is_in_order(flat, self._builder.type_of(source).elements)
        return Place(source, None if ordered else flat, loc)

    def _element_wise(self, op: Op, shape: tuple[int, ...]) -> Place:
        """Compute in the order of the first whole operand, or in the declared one if one has that."""
        computed = [name for name in op.inputs if name in self._places]
        whole = [
            self._places[name]
            for name in computed
            if self._graph.types[name].elements == prod(shape) and self._places.covers(name)
        ]
        order, target = None, as_matrix(shape)
        if whole:
            aligned = len(whole) == len(computed) and all(_same_order(place, whole[0]) for place in whole)
            if aligned or all(place.index is not None for place in whole):
                order = whole[0].index
                target = as_matrix(self._builder.type_of(whole[0].source).shape)
        operands = [self._in_order(name, op, shape, order, target) for name in op.inputs]
        result = self._builder.op(op.kind, operands, op.attrs, op.loc, op.output)
        return Place(result, order, op.loc)

    def _in_order(
        self, name: str, op: Op, shape: tuple[int, ...], order: Array | None, target: tuple[int, int]
    ) -> str:
        """Return an operand as the result's [rows, columns] in an order, or one row or one column of it."""
        constant = self._graph.constants.get(name)
        if constant is not None and (constant.size == 1 or (order is None and constant.shape == target)):
            return name if constant.ndim <= 2 else self._builder.constant(constant.reshape(()), name)
        elements = constant if constant is not None else self._places.elements_of(name)
        declared = np.broadcast_to(elements, shape).reshape(-1)
        ordered = np.empty_like(declared)
        ordered[slice(None) if order is None else order] = declared
        matrix = ordered.reshape(target)
        if constant is not None:
            # The limits of a clip stay whole: a line for each row.
            return self._builder.constant(matrix if op.kind is OpKind.CLIP else _smallest(matrix), name)
        matrix, place = _smallest(matrix), self._places[name]
        return self._places.reshaped(
            self._places.written(self._place(place.source, matrix, place.loc), matrix.shape),
            matrix.shape,
            place.loc,
        )

    def _joined(self, op: Op, shape: tuple[int, ...], axis: int) -> Place:
        """Join parts of one value to a view of it, others as matrices."""
        computed = [name for name in op.inputs if name in self._places]
        sources = {self._places[name].source for name in computed}
        indices = [self._places.elements_of(name) for name in computed]
        if len(sources) == 1 and len(computed) == len(op.inputs):
            return self._place(min(sources), np.concatenate(indices, axis), op.loc)
        join, width = None, shape[-1]
        if computed and all(self._places.covers(name) for name in computed):
            join = common_join(indices, shape, axis)
        in_place = join is not None
        if in_place:
            width = min(self._builder.type_of(source).shape[-1] for source in sources)
        join = join or declared_join(shape, axis)
        below = join.outer == 1 and join.inner > 1 and join.inner % width == 0
        operands = []
        for name in op.inputs:
            constant, size = self._graph.constants.get(name), self._graph.types[name].elements
            part = (size // width, width) if below else (join.outer, size // join.outer)
            if constant is not None:
                operands.append(self._builder.constant(join.arranged(constant, axis).reshape(part), name))
            elif in_place:
                operands.append(self._places.reshaped(self._places[name].source, part, op.loc))
            else:
                operands.append(self._places.in_shape(name, part))
        result = self._builder.op(op.kind, operands, ConcatAttrs(0 if below else 1), op.loc, op.output)
        return self._place(result, join.elements(shape, axis), op.loc)


def _same_order(place: Place, other: Place) -> bool:
    if place.index is None or other.index is None:
        return place.index is other.index
    return np.array_equal(place.index, other.index)


def _smallest(matrix: Array) -> Array:
    """Return one row of a matrix if all are equal, one column of it if all are equal, else all of it."""
    if bool((matrix == matrix[:1]).all()):
        return np.ascontiguousarray(matrix[:1])
    return np.ascontiguousarray(matrix[:, :1]) if bool((matrix == matrix[:, :1]).all()) else matrix
