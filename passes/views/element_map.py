"""Where each element of a value comes from: abstract interpretation of views and of linear element-wise ops.

Every element is described as scale * sum over a few terms of coefficient * source.flat[index]. Views act on
the arrays of indices and coefficients as they act on data, so any plumbing of reshapes, transposes, slices,
gathers and concatenations resolves to one array of indices, whichever exporter wrote it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.ops import MOVES, OPS
from tmc.ir.types import Array

# A rotation has two; masks written as sums need a few more on the way.
MAX_TERMS = 8


@dataclass(frozen=True, slots=True)
class Term:
    """Flat indices into the source (int32), and a factor for each (float32; None stands for 1)."""

    index: Array
    coefficient: Array | None


@dataclass(frozen=True, slots=True)
class ElementMap:
    """A value as scale * sum of terms over the elements of `source`; the arrays have the value's shape."""

    source: str
    scale: float
    terms: tuple[Term, ...]

    def view(self) -> Array | None:
        """Return the indices if the value only rearranges elements of the source, else None."""
        plain = self.scale == 1.0 and len(self.terms) == 1 and self.terms[0].coefficient is None
        return self.terms[0].index if plain else None


class Tracer:
    """Trace values of one graph back to their sources.

    With `views_only` everything that computes is a source; else constant factors, sums and differences of one
    source are followed too.
    """

    def __init__(self, graph: Graph, views_only: bool = False) -> None:
        self._graph = graph
        self._producers = producers(graph)
        self._views_only = views_only

    def trace(self, value: str) -> ElementMap:
        """Return the map of a value; a value that cannot be followed is its own source."""
        return self._trace(value, {})

    def _trace(self, value: str, seen: dict[str, ElementMap]) -> ElementMap:
        if value not in seen:
            op = self._producers.get(value)
            followed = None if op is None else self._follow(op, seen)
            seen[value] = self._source(value) if followed is None else followed
        return seen[value]

    def _source(self, value: str) -> ElementMap:
        shape = self._graph.types[value].shape
        index = np.arange(self._graph.types[value].elements, dtype=np.int32).reshape(shape)
        return ElementMap(value, 1.0, (Term(index, None),))

    def _follow(self, op: Op, seen: dict[str, ElementMap]) -> ElementMap | None:
        if op.kind in MOVES:
            operand = self._trace(op.inputs[0], seen)
            terms = tuple(_rearrange(term, op) for term in operand.terms)
            return ElementMap(operand.source, operand.scale, terms)
        rule = _LINEAR.get(op.kind)
        if rule is None or self._views_only:
            return None
        constants = [self._graph.constants.get(name) for name in op.inputs]
        operands = [
            None if array is not None else self._trace(name, seen)
            for name, array in zip(op.inputs, constants, strict=True)
        ]
        return rule(op, operands, constants, self._graph.types[op.output].shape)


Operands = list[ElementMap | None]
Constants = list[Array | None]
Rule = Callable[[Op, Operands, Constants, tuple[int, ...]], ElementMap | None]


def _rearrange(term: Term, op: Op) -> Term:
    evaluate = OPS[op.kind].evaluate
    coefficient = None if term.coefficient is None else evaluate([term.coefficient], op.attrs)
    return Term(evaluate([term.index], op.attrs), coefficient)


def _broadcast(term: Term, shape: tuple[int, ...]) -> Term:
    coefficient = None if term.coefficient is None else np.broadcast_to(term.coefficient, shape)
    return Term(np.broadcast_to(term.index, shape), coefficient)


def _scaled(term: Term, factor: float) -> Term:
    if factor == 1.0:
        return term
    ones = np.ones(term.index.shape, dtype=np.float32) if term.coefficient is None else term.coefficient
    return Term(term.index, ones * np.float32(factor))


def _multiply(op: Op, operands: Operands, constants: Constants, shape: tuple[int, ...]) -> ElementMap | None:
    """Multiply or divide by a constant; a uniform one goes into the scale, which commutes with everything."""
    x, factor = operands[0], constants[1]
    if op.kind is OpKind.MUL and x is None:
        x, factor = operands[1], constants[0]
    if x is None or factor is None:
        return None
    divide = op.kind is OpKind.DIV
    terms = tuple(_broadcast(term, shape) for term in x.terms)
    first = float(factor.flat[0])
    if (factor == factor.flat[0]).all():
        if divide and first == 0.0:
            return None
        return ElementMap(x.source, x.scale / first if divide else x.scale * first, terms)
    full = np.broadcast_to(factor, shape)
    new = []
    for term in terms:
        if divide:
            ones = np.float32(1.0) if term.coefficient is None else term.coefficient
            new.append(Term(term.index, ones / full))
        else:
            new.append(Term(term.index, full if term.coefficient is None else term.coefficient * full))
    return ElementMap(x.source, x.scale, tuple(new))


def _negate(op: Op, operands: Operands, constants: Constants, shape: tuple[int, ...]) -> ElementMap | None:
    x = operands[0]
    return None if x is None else ElementMap(x.source, -x.scale, x.terms)


def _sum(op: Op, operands: Operands, constants: Constants, shape: tuple[int, ...]) -> ElementMap | None:
    """Add or subtract two values of one source."""
    x, y = operands
    if x is None or y is None or x.source != y.source or len(x.terms) + len(y.terms) > MAX_TERMS:
        return None
    sign = -1.0 if op.kind is OpKind.SUB else 1.0
    scale = x.scale if abs(x.scale) == abs(y.scale) and x.scale != 0.0 else 1.0
    terms = [_scaled(_broadcast(term, shape), x.scale / scale) for term in x.terms]
    terms += [_scaled(_broadcast(term, shape), sign * y.scale / scale) for term in y.terms]
    return ElementMap(x.source, scale, tuple(terms))


def _concat(op: Op, operands: Operands, constants: Constants, shape: tuple[int, ...]) -> ElementMap | None:
    """Join values of one source; short ones get terms of coefficient 0."""
    parts = [part for part in operands if part is not None]
    first = parts[0] if parts else None
    if first is None or len(parts) < len(operands) or any(part.source != first.source for part in parts):
        return None
    scale = first.scale if all(abs(part.scale) == abs(first.scale) for part in parts) else 1.0
    scale = scale if scale != 0.0 else 1.0
    count = max(len(part.terms) for part in parts)
    evaluate = OPS[op.kind].evaluate
    terms = []
    for number in range(count):
        pieces = [_piece(part, number, scale) for part in parts]
        index = evaluate([piece.index for piece in pieces], op.attrs)
        if all(piece.coefficient is None for piece in pieces):
            terms.append(Term(index, None))
            continue
        factors = [
            np.ones(piece.index.shape, dtype=np.float32) if piece.coefficient is None else piece.coefficient
            for piece in pieces
        ]
        terms.append(Term(index, evaluate(factors, op.attrs)))
    return ElementMap(first.source, scale, tuple(terms))


def _piece(part: ElementMap, number: int, scale: float) -> Term:
    if number < len(part.terms):
        return _scaled(part.terms[number], part.scale / scale)
    index = part.terms[0].index
    return Term(index, np.zeros(index.shape, dtype=np.float32))


_LINEAR: dict[OpKind, Rule] = {
    OpKind.MUL: _multiply,
    OpKind.DIV: _multiply,
    OpKind.NEG: _negate,
    OpKind.ADD: _sum,
    OpKind.SUB: _sum,
    OpKind.CONCAT: _concat,
}
