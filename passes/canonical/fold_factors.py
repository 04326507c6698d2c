"""Fold factors and offsets by constants into the op that computes what they scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tmc.ir.build import GraphBuilder
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.ops import MOVES, OPS
from tmc.ir.types import Array
from tmc.passes.canonical.affine import Affine, affine, is_scale_of_scores, per_column
from tmc.passes.canonical.fold_bias import fold_bias, grouped_rows
from tmc.passes.pipeline import Declined

_LIMITS = frozenset({OpKind.RELU, OpKind.CLIP})
Readers = Mapping[str, tuple[Op, ...]]


def fold_factors(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Rewrite view(f(x)) * a + c to view(f'(x)), with constant a and c, where f has weights and an offset.

    f is a linear, a LayerNorm or a depthwise convolution. A batch norm behind one is such a factor and
    offset. The views between are any moves of elements, and clips where a > 0 and c = 0: their limits are
    multiplied. Only where nobody else reads the elements that are scaled, and where a is the same for all
    rows of f. A number by which an operand of a product of two computed values is multiplied stays: it is
    the scale of an attention. Equal up to float32 rounding.
    """
    while True:
        graph = fold_bias(graph)
        found: list[Declined] = []
        folded = _Folding(graph, found).folded()
        if folded is None:
            if declined is not None:
                declined += found
            return graph
        graph = folded


@dataclass(frozen=True, slots=True, eq=False)
class _Scaling:
    """Factor and offset for each element of a value; own: the elements that are scaled."""

    factor: Array
    offset: Array
    own: Array

    def before(self, move: Op, shape: tuple[int, ...]) -> _Scaling | None:
        """Return what this is for the operand [shape] of a move; None if it takes an element twice."""
        places = np.arange(int(np.prod(shape))).reshape(shape)
        index = np.asarray(OPS[move.kind].evaluate([places], move.attrs)).reshape(-1)
        if np.unique(index).size < index.size:
            return None
        spread = []
        for array, rest in ((self.factor, 1.0), (self.offset, 0.0), (self.own, False)):
            full = np.full(places.size, rest)
            full[index] = array.reshape(-1)
            spread.append(full.reshape(shape))
        return _Scaling(*spread)


@dataclass(slots=True)
class _Folding:
    """What is folded in one walk over a graph: at most one factor into each op."""

    graph: Graph
    declined: list[Declined]
    scalings: dict[str, _Scaling] = field(default_factory=dict)
    absorbed: dict[str, str] = field(default_factory=dict)

    def folded(self) -> Graph | None:
        """Return the graph with what could be folded, None if that is nothing."""
        made, readers = producers(self.graph), uses(self.graph)
        for op in self.graph.ops:
            found = affine(op, self.graph)
            if found is None or is_scale_of_scores(op, found, self.graph, readers):
                continue
            way = _way_back(found.x, made)
            if not way or way[-1].kind not in _WRITERS or way[-1].output in self.scalings:
                continue
            reason = self._fold(op, found, way, readers)
            if reason is not None:
                self.declined.append(Declined(op.loc, op.kind.value, reason))
        return self._rewritten() if self.absorbed else None

    def _fold(self, op: Op, found: Affine, way: Sequence[Op], readers: Readers) -> str | None:
        """Take a factor in, or return why not. way: the ops from its operand back to what computes it."""
        target, before = way[-1], f"the {way[-1].kind.value} before it"
        if any(name not in self.graph.constants for name in target.inputs[1:]):
            return f"the weights of {before} are computed"
        shape = self.graph.types[found.x].shape
        arrays = (np.broadcast_to(array, shape) for array in (found.factor, found.offset, np.array(True)))
        scaling, reader = _Scaling(*arrays), op
        clips: dict[str, _Scaling] = {}
        for each in way:
            if _is_shared(each.output, scaling.own, reader, self.graph, readers):
                return f"others read what it scales of {before}"
            if each.kind in _LIMITS:
                if bool((scaling.factor <= 0).any()) or bool((scaling.offset != 0).any()):
                    return f"a {each.kind.value} lies between it and {before}"
                clips[each.output] = scaling
            elif each is not target:
                moved = scaling.before(each, self.graph.types[each.inputs[0]].shape)
                if moved is None:
                    return f"elements of {before} are taken twice"
                scaling = moved
            reader = each
        whole = self.graph.types[target.output].shape
        if per_column(scaling.factor, whole) is None:
            return f"it differs from row to row of {before}"
        if target.kind is not OpKind.LINEAR and per_column(scaling.offset, whole) is None:
            return f"its offset differs from row to row of {before}"
        self.scalings |= {**clips, target.output: scaling}
        self.absorbed[op.output] = found.x
        return None

    def _rewritten(self) -> Graph:
        builder = GraphBuilder.like(self.graph)
        for op in self.graph.ops:
            scaling = self.scalings.get(op.output)
            if op.output in self.absorbed:
                builder.forward(op.output, self.absorbed[op.output])
            elif scaling is None or op.kind is OpKind.RELU:
                builder.keep(op)
            else:
                operands = [self.graph.constants[name].astype(np.float64) for name in op.inputs[1:]]
                shape = self.graph.types[op.output].shape
                arrays = _WRITERS[op.kind](operands, scaling, shape)
                names = (
                    builder.constant(np.asarray(array, dtype=np.float32), name)
                    for array, name in zip(arrays, op.inputs[1:], strict=True)
                )
                builder.keep(replace(op, inputs=(op.inputs[0], *names)))
        return builder.graph()


def _way_back(value: str, made: Mapping[str, Op]) -> list[Op]:
    """Return the moves and clips from a value back to what computes it, and that; nothing for an input."""
    way: list[Op] = []
    while value in made:
        way.append(made[value])
        if way[-1].kind not in MOVES and way[-1].kind not in _LIMITS:
            return way
        value = way[-1].inputs[0]
    return []


def _is_shared(value: str, own: Array, reader: Op, graph: Graph, readers: Readers) -> bool:
    """Tell whether anybody but one reader reads elements of a value that are marked in `own`."""
    waiting = [(value, own)]
    while waiting:
        name, marked = waiting.pop()
        if name in graph.outputs:
            return True
        for other in readers.get(name, ()):
            if other is reader:
                continue
            if other.kind not in MOVES:
                return True
            taken = np.asarray(OPS[other.kind].evaluate([marked], other.attrs))
            if bool(taken.any()):
                waiting.append((other.output, taken))
    return False


Operands = Sequence[Array]


def _linear(operands: Operands, scaling: _Scaling, shape: tuple[int, ...]) -> Operands:
    weight, bias = operands
    factor = _row(scaling.factor, shape)
    rows = np.repeat(bias * factor, shape[0] // len(bias), axis=0) + scaling.offset
    return weight * factor[:, None], grouped_rows(rows)


def _layernorm(operands: Operands, scaling: _Scaling, shape: tuple[int, ...]) -> Operands:
    gamma, beta = operands
    factor = _row(scaling.factor, shape)
    return gamma * factor, beta * factor + _row(scaling.offset, shape)


def _depthwise(operands: Operands, scaling: _Scaling, shape: tuple[int, ...]) -> Operands:
    weight, bias = operands
    factor = _row(scaling.factor, shape)
    return weight * factor[:, None], bias * factor + _row(scaling.offset, shape)


def _clip(operands: Operands, scaling: _Scaling, shape: tuple[int, ...]) -> Operands:
    """Multiply limits by factors above 0; a limit that does not limit stays one."""
    first = float(scaling.factor.flat[0])
    factor: Array = np.array(first) if bool((scaling.factor == first).all()) else scaling.factor
    ends = (np.where(np.abs(limit) < UNLIMITED, limit * factor, limit) for limit in operands)
    return tuple(np.clip(end, -UNLIMITED, UNLIMITED) for end in ends)


def _row(array: Array, shape: tuple[int, ...]) -> Array:
    row = per_column(array, shape)
    assert row is not None, "checked when it was taken in"
    return row


_WRITERS: Mapping[OpKind, Callable[[Operands, _Scaling, tuple[int, ...]], Operands]] = {
    OpKind.LINEAR: _linear,
    OpKind.LAYERNORM: _layernorm,
    OpKind.DEPTHWISE_ROWS: _depthwise,
    OpKind.CLIP: _clip,
}
