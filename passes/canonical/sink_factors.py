"""Move factors and offsets by constants behind what reads them, into its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tmc.ir.attrs import Attrs, LayerNormAttrs, MeanRowsAttrs, ReduceAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.ops import MOVES, OPS
from tmc.ir.types import Array
from tmc.passes.canonical.affine import affine, is_scale_of_scores, per_column
from tmc.passes.canonical.fold_bias import grouped_rows
from tmc.passes.canonical.fold_factors import fold_factors
from tmc.passes.pipeline import Declined

# A stream of int16 values loses six of its bits where its columns are scaled as differently as this.
_MOST_UNEVEN = 64.0


def sink_factors(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Rewrite f(view(x * a + c)) to f'(view(x)), with constant a and c, where that leaves fewer such ops.

    1. A linear takes both into weight and bias; a depthwise convolution takes a; LayerNorm takes a single
       number a into its epsilon.
    2. Clips and means let both through, multiplied.
    3. (x * a + c) + g becomes (x + (g + c) / a) * a where g is a linear, which takes in what is added to and
       multiplied with it. So the batch norms of a residual stream move to its end.
    Where they can move no further they are written out. Equal up to float32 rounding.
    """
    count = len(_left(graph))
    while count:
        for op in _left(graph):
            sunk = fold_factors(_Sinking(graph, op).run())
            if len(_left(sunk)) < count:
                graph, count = sunk, len(_left(sunk))
                break
        else:
            break
    if declined is not None:
        reason = "no op with weights is near that could take it in"
        declined += [Declined(op.loc, op.kind.value, reason) for op in _left(graph)]
    return graph


def _left(graph: Graph) -> list[Op]:
    """Return the ops that multiply by constants or add them, but the scales of attention."""
    readers, found = uses(graph), []
    for op in graph.ops:
        what = affine(op, graph)
        if what is not None and not is_scale_of_scores(op, what, graph, readers):
            found.append(op)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """What a value of the old graph is of the value of its name in the new one: factor * x + offset."""

    factor: Array
    offset: Array

    def mapped(self, function: Callable[[Array], Array]) -> _Held:
        """Return both through a view or a mean."""
        return _Held(np.asarray(function(self.factor)), np.asarray(function(self.offset)))


@dataclass(slots=True)
class _Sinking:
    """The new graph so far, in which one affine op is moved as far as it goes."""

    graph: Graph
    start: Op
    builder: GraphBuilder = field(init=False)
    held: dict[str, _Held] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.builder = GraphBuilder.like(self.graph)

    def run(self) -> Graph:
        """Return the graph with the op moved."""
        for op in self.graph.ops:
            if op is self.start or any(name in self.held for name in op.inputs):
                self._add(op)
            else:
                self.builder.keep(op)
        for output in self.graph.outputs:
            if output in self.held:
                self.builder.forward(output, self._written(output, self.start.loc))
        return self.builder.graph()

    def _add(self, op: Op) -> None:
        found = affine(op, self.graph)
        if found is not None:
            held, shape = self.held.get(found.x), self.graph.types[found.x].shape
            before = _Held(np.ones(shape), np.zeros(shape)) if held is None else held
            after = _Held(before.factor * found.factor, before.offset * found.factor + found.offset)
            self.builder.forward(op.output, found.x)
            self.held[op.output] = after
            return
        held = self.held.get(op.inputs[0])
        rule = _RULES.get(op.kind)
        if op.kind in MOVES and held is not None:
            self.builder.keep(op)
            self.held[op.output] = held.mapped(lambda array: OPS[op.kind].evaluate([array], op.attrs))
        elif op.kind is OpKind.ADD and self._joined(op):
            return
        elif rule is None or held is None or not rule(self, op, held):
            operands = [self._written(name, op.loc) if name in self.held else name for name in op.inputs]
            self.builder.keep(replace(op, inputs=tuple(operands)))

    def _written(self, name: str, loc: str) -> str:
        """Return a value as it was in the old graph, multiplied and added to here."""
        if name not in self.written:
            held, value = self.held[name], name
            if bool((held.factor != 1).any()):
                value = self._affine(OpKind.MUL, value, held.factor, loc)
            if bool((held.offset != 0).any()):
                value = self._affine(OpKind.ADD, value, held.offset, loc)
            self.written[name] = value
        return self.written[name]

    def _affine(self, kind: OpKind, value: str, array: Array, loc: str) -> str:
        least = smallest(array).astype(np.float32)
        constant = self.builder.constant(least, f"{self.builder.current(value)}.{kind.value}")
        return self.builder.op(kind, [value, constant], Attrs(), loc)

    def _joined(self, op: Op) -> bool:
        """Move a factor behind a sum of which the other operand is a linear; tell whether that was done."""
        one = next(name for name in op.inputs if name in self.held)
        held = self.held[one]
        other = next((name for name in op.inputs if name != one), one)
        magnitude = np.abs(held.factor)
        even = float(magnitude.min()) > 0 and float(magnitude.max() / magnitude.min()) <= _MOST_UNEVEN
        if not even or other in self.held or held.factor.shape != self.graph.types[op.output].shape:
            return False
        if not _is_linear(other, self.graph):
            return False
        branch = self._affine(OpKind.ADD, other, held.offset, op.loc) if held.offset.any() else other
        branch = self._affine(OpKind.MUL, branch, 1 / held.factor, op.loc)
        self.builder.op(OpKind.ADD, [one, branch], op.attrs, op.loc, op.output)
        self.held[op.output] = _Held(held.factor, np.zeros_like(held.offset))
        return True

    def constants(self, op: Op) -> list[Array]:
        """Return the constant operands of an op, in float64."""
        return [self.graph.constants[name].astype(np.float64) for name in op.inputs[1:]]

    def emit(self, op: Op, *arrays: Array, attrs: Attrs | None = None) -> bool:
        """Add an op with other constants."""
        names = (
            self.builder.constant(np.asarray(array, np.float32), f"{op.output}.{name}")
            for array, name in zip(arrays, OPS[op.kind].operands[1:], strict=True)
        )
        attrs = op.attrs if attrs is None else attrs
        self.builder.keep(replace(op, inputs=(op.inputs[0], *names), attrs=attrs))
        return True


def _is_linear(value: str, graph: Graph) -> bool:
    """Tell whether a value is a view of a linear."""
    made = producers(graph)
    while value in made and made[value].kind in MOVES:
        value = made[value].inputs[0]
    return value in made and made[value].kind is OpKind.LINEAR


def smallest(array: Array) -> Array:
    """Return a single number in place of an array of equal ones."""
    return np.array(array.flat[0]) if bool((array == array.flat[0]).all()) else array


def _linear(sinking: _Sinking, op: Op, held: _Held) -> bool:
    if any(name not in sinking.graph.constants for name in op.inputs[1:]):
        return False
    weight, bias = sinking.constants(op)
    columns = per_column(held.factor, held.factor.shape)
    if columns is None:
        return False
    added = grouped_rows(held.offset) @ weight.T
    rows = len(held.offset)
    lines = np.repeat(bias, rows // len(bias), axis=0) + np.repeat(added, rows // len(added), axis=0)
    return sinking.emit(op, weight * columns, grouped_rows(lines))


def _depthwise(sinking: _Sinking, op: Op, held: _Held) -> bool:
    """Take in a factor per column; an offset would be missing from the rows beyond the ends."""
    weight, bias = sinking.constants(op)
    columns, added = (per_column(array, array.shape) for array in (held.factor, held.offset))
    if columns is None or added is None or (bool(added.any()) and weight.shape[1] > 1):
        return False
    return sinking.emit(op, weight * columns[:, None], bias + weight.sum(axis=1) * added)


def _layernorm(sinking: _Sinking, op: Op, held: _Held) -> bool:
    """Take in one factor; what is the same for all columns of a row is subtracted with the mean."""
    assert isinstance(op.attrs, LayerNormAttrs), "checked by the verifier"
    factor = float(held.factor.flat[0])
    one = factor != 0 and bool((held.factor == factor).all())
    if not one or bool((held.offset != held.offset[..., :1]).any()):
        return False
    gamma, beta = sinking.constants(op)
    return sinking.emit(op, gamma * np.sign(factor), beta, attrs=LayerNormAttrs(op.attrs.epsilon / factor**2))


def _relu(sinking: _Sinking, op: Op, held: _Held) -> bool:
    if bool((held.factor <= 0).any()) or bool(held.offset.any()):
        return False
    sinking.builder.keep(op)
    sinking.held[op.output] = held
    return True


def _clip(sinking: _Sinking, op: Op, held: _Held) -> bool:
    if bool((held.factor <= 0).any()):
        return False
    ends = (
        np.where(np.abs(limit) < UNLIMITED, (limit - held.offset) / held.factor, limit)
        for limit in sinking.constants(op)
    )
    sinking.held[op.output] = held
    return sinking.emit(op, *(smallest(np.clip(end, -UNLIMITED, UNLIMITED)) for end in ends))


def _mean(sinking: _Sinking, op: Op, held: _Held) -> bool:
    """Let through a factor that is the same for all that is averaged."""

    def averaged(array: Array) -> Array:
        if isinstance(op.attrs, MeanRowsAttrs):
            groups = array.reshape(-1, op.attrs.group_rows, array.shape[1])
            return np.asarray(groups.mean(axis=1))
        assert isinstance(op.attrs, ReduceAttrs), "the only other mean"
        return np.asarray(array.mean(axis=op.attrs.axes, keepdims=op.attrs.keepdims))

    after = held.mapped(averaged)
    spread = averaged(held.factor**2) - after.factor**2
    if bool((np.abs(spread) > 1e-12 * after.factor**2).any()):
        return False
    sinking.builder.keep(op)
    sinking.held[op.output] = after
    return True


_RULES: Mapping[OpKind, Callable[[_Sinking, Op, _Held], bool]] = {
    OpKind.LINEAR: _linear,
    OpKind.DEPTHWISE_ROWS: _depthwise,
    OpKind.LAYERNORM: _layernorm,
    OpKind.RELU: _relu,
    OpKind.CLIP: _clip,
    OpKind.REDUCE_MEAN: _mean,
    OpKind.MEAN_ROWS: _mean,
}
