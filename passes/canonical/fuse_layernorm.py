"""Recognise LayerNorm and RMSNorm written as their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tmc.ir.attrs import LayerNormAttrs, ReduceAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined

_NOT_A_NORM = (
    "no (x - mean) / sqrt(mean((x - mean)^2) + eps), or x / sqrt(mean(x^2) + eps), "
    "over the same axes around it"
)
# Where the least of a mean of squares is taken for a term beside it: codes hold no signal that shows which.
_LARGEST_FLOOR = 1e-12
_NO_LIMIT = 1e38


@dataclass(frozen=True, slots=True)
class _Norm:
    """A LayerNorm over some axes, rising, with constant gamma and beta for each element along them."""

    x: str
    axes: tuple[int, ...]
    attrs: LayerNormAttrs
    gamma: Array
    beta: Array


def fuse_layernorm(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Fuse normalisation over any axes, then the factors and terms along them that follow it.

    1. c * (mean(c^2) + eps)^-1/2 with c = x - mean(x), written with division, square root, reciprocal or
       power, becomes layernorm(x, 1, 0); with c = x, its variant about zero: RMSNorm. Instead of c, c * w may
       be divided, w constant along all other axes; and a number of the mean may be taken, as a sum: c / |c|.
       A small number that the sum or its root is not to fall below is such an eps, exact well above it.
    2. layernorm(x, g, b) * w, one reader: layernorm(x, g * w, b * w). Exact for g = 1, b = 0.
    3. layernorm(x, g, b) + w, one reader: layernorm(x, g, b + w). Exact for b = 0.
    Around a norm over other axes than the last one are the moves that make them the last one.
    Source: ONNX LayerNormalization-17, function body.
    """
    builder = GraphBuilder.like(graph)
    parts = _Parts(graph)
    readers = {value: len(ops) for value, ops in uses(graph).items()}
    norms: dict[str, _Norm] = {}
    for op in graph.ops:
        norm = parts.normalisation(op) or _existing(op, graph) or _extended(op, graph, norms, readers)
        if norm is None:
            builder.keep(op)
            continue
        norms[op.output] = norm
        _emit(builder, norm, op)
    fused = builder.graph()
    if declined is not None:
        declined += [Declined(op.loc, "sqrt", _NOT_A_NORM) for op in fused.ops if op.kind is OpKind.SQRT]
    return fused


def _emit(builder: GraphBuilder, norm: _Norm, op: Op) -> None:
    gamma = builder.constant(norm.gamma, f"{op.output}.gamma")
    beta = builder.constant(norm.beta, f"{op.output}.beta")
    shape = builder.type_of(norm.x).shape
    if norm.axes == (len(shape) - 1,):
        builder.op(OpKind.LAYERNORM, [norm.x, gamma, beta], norm.attrs, op.loc, op.output)
        return
    kept = [axis for axis in range(len(shape)) if axis not in norm.axes]
    order = (*kept, *norm.axes)
    x = builder.op(OpKind.TRANSPOSE, [norm.x], TransposeAttrs(order), op.loc)
    turned = builder.type_of(x).shape
    x = builder.reshape(x, (*turned[: len(kept)], norm.gamma.size), op.loc)
    x = builder.op(OpKind.LAYERNORM, [x, gamma, beta], norm.attrs, op.loc)
    x = builder.reshape(x, turned, op.loc)
    back = tuple(int(axis) for axis in np.argsort(order))
    builder.op(OpKind.TRANSPOSE, [x], TransposeAttrs(back), op.loc, op.output)


def _existing(op: Op, graph: Graph) -> _Norm | None:
    if not isinstance(op.attrs, LayerNormAttrs):
        return None
    gamma, beta = (graph.constants.get(name) for name in op.inputs[1:])
    if gamma is None or beta is None:
        return None
    return _Norm(op.inputs[0], (len(graph.types[op.output].shape) - 1,), op.attrs, gamma, beta)


def _extended(op: Op, graph: Graph, norms: Mapping[str, _Norm], readers: Mapping[str, int]) -> _Norm | None:
    """Return the norm that includes op, if op is a norm times or plus constants along its axes."""
    if op.kind not in (OpKind.MUL, OpKind.ADD):
        return None
    for name, other in (op.inputs, op.inputs[::-1]):
        norm, factor = norms.get(name), graph.constants.get(other)
        if norm is None or factor is None or readers[name] > 1 or name in graph.outputs:
            continue
        row = _along(factor, graph.types[name].shape, norm.axes)
        if graph.types[op.output] != graph.types[name] or row is None:
            continue
        if op.kind is OpKind.ADD:
            return replace(norm, beta=norm.beta + row)
        # Adding 0 turns -0 into 0, so that all ways to write a norm give the same bits.
        return replace(norm, gamma=norm.gamma * row, beta=norm.beta * row + np.float32(0))
    return None


def _along(factor: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array | None:
    """Return what a constant is along some axes of a value, if it is the same along all others."""
    if factor.ndim > len(shape):
        return None
    sizes = (1,) * (len(shape) - factor.ndim) + factor.shape
    if any(size != 1 for axis, size in enumerate(sizes) if axis not in axes):
        return None
    row = np.broadcast_to(factor.reshape([sizes[axis] for axis in axes]), [shape[axis] for axis in axes])
    return row.reshape(-1)


class _Parts:
    """Match the parts of a normalisation upwards from its last op."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._producers = producers(graph)

    def normalisation(self, op: Op) -> _Norm | None:
        """Return layernorm(x, w, 0) if op is c * w * (mean(c^2) + eps)^-1/2; c is x - mean(x), or x."""
        if op.kind not in (OpKind.MUL, OpKind.DIV):
            return None
        sign = 1.0 if op.kind is OpKind.MUL else -1.0
        pairs = (op.inputs, op.inputs[::-1]) if op.kind is OpKind.MUL else (op.inputs,)
        for weighted, divisor in pairs:
            root, floor = self._floor(self._narrow(divisor))
            inner, exponent = self._power(root)
            if sign * exponent != -0.5:
                continue
            for centred, weight in self._factors(weighted):
                variance = self._variance(inner, centred)
                if variance is None or self._graph.types[op.output] != self._graph.types[centred]:
                    continue
                epsilon, size, axes = variance
                x = self._centred(centred, axes)
                gamma = _along(weight, self._graph.types[centred].shape, axes)
                if gamma is None or floor**2 / size > _LARGEST_FLOOR:
                    continue
                gamma = gamma if size == 1 else gamma / np.float32(size**0.5)
                epsilon += floor**2 / size
                attrs = LayerNormAttrs(epsilon, "zero" if x is None else None)
                zeros = np.zeros(gamma.size, dtype=np.float32)
                return _Norm(centred if x is None else x, axes, attrs, gamma, zeros)
        return None

    def _factors(self, value: str) -> list[tuple[str, Array]]:
        """Return a value as itself times 1 and, if it is a product with a constant, as its factors."""
        found: list[tuple[str, Array]] = [(value, np.ones((), np.float32))]
        op = self._operation(value, OpKind.MUL)
        for name, other in (op.inputs, op.inputs[::-1]) if op is not None else ():
            if other in self._graph.constants:
                found.append((name, self._graph.constants[other]))
        return found

    def _scalar(self, value: str) -> float | None:
        array = self._graph.constants.get(value)
        return float(array.flat[0]) if array is not None and array.size == 1 else None

    def _operation(self, value: str, kind: OpKind) -> Op | None:
        op = self._producers.get(value)
        return op if op is not None and op.kind is kind else None

    def _power(self, value: str) -> tuple[str, float]:
        """Return (v, e) such that value = v^e, through square roots, reciprocals and constant powers."""
        power = 1.0
        while (op := self._producers.get(value)) is not None:
            exponent = None
            if op.kind is OpKind.SQRT:
                exponent, inner = 0.5, op.inputs[0]
            elif op.kind is OpKind.POW:
                exponent, inner = self._scalar(op.inputs[1]), op.inputs[0]
            elif op.kind is OpKind.DIV and self._scalar(op.inputs[0]) == 1.0:
                exponent, inner = -1.0, op.inputs[1]
            if exponent is None:
                break
            value, power = inner, exponent * power
        return value, power

    def _mean_of(self, value: str) -> tuple[str, tuple[int, ...]] | None:
        """Return v and the axes if value is the mean of v over them, with size 1 there."""
        op = self._operation(value, OpKind.REDUCE_MEAN)
        if op is None or not isinstance(op.attrs, ReduceAttrs) or not op.attrs.keepdims:
            return None
        return op.inputs[0], tuple(sorted(op.attrs.axes))

    def _centred(self, value: str, axes: tuple[int, ...]) -> str | None:
        """Return x if value is x - mean(x) over these axes."""
        op = self._operation(value, OpKind.SUB)
        return (
            op.inputs[0] if op is not None and self._mean_of(op.inputs[1]) == (op.inputs[0], axes) else None
        )

    def _narrow(self, value: str) -> str:
        """Return what is repeated along axes, if the value is that."""
        op = self._operation(value, OpKind.EXPAND)
        return value if op is None else op.inputs[0]

    def _floor(self, value: str) -> tuple[str, float]:
        """Return v and e if value is max(v, e) for a number e, else the value and 0."""
        op = self._producers.get(value)
        if op is None or op.kind not in (OpKind.CLIP, OpKind.MAXIMUM):
            return value, 0.0
        numbers = [self._scalar(name) for name in op.inputs]
        if op.kind is OpKind.CLIP and (numbers[2] is None or numbers[2] < _NO_LIMIT):
            return value, 0.0
        x, low = (op.inputs[1], numbers[0]) if numbers[0] is not None else (op.inputs[0], numbers[1])
        return (value, 0.0) if low is None or low < 0 else (x, low)

    def _variance(self, value: str, centred: str) -> tuple[float, float, tuple[int, ...]] | None:
        """Return eps / s, s and the axes if value is s * mean(centred^2) + eps, or max(that, a small eps)."""
        value, floor = self._floor(value)
        op = self._operation(value, OpKind.ADD)
        sums = [(value, floor)] if op is None else []
        for name, other in (op.inputs, op.inputs[::-1]) if op is not None and not floor else ():
            epsilon = self._scalar(other)
            sums += [] if epsilon is None else [(name, epsilon)]
        for term, epsilon in sums:
            for mean, size in self._factors(term):
                square = self._mean_of(mean)
                positive = size.size == 1 and bool(size.flat[0] > 0)
                if square is None or not positive or not self._is_square(square[0], centred, square[1]):
                    continue
                found = epsilon / float(size.flat[0]), float(size.flat[0]), square[1]
                return None if floor / found[1] > _LARGEST_FLOOR else found
        return None

    def _is_square(self, value: str, centred: str, axes: tuple[int, ...]) -> bool:
        op = self._producers.get(value)
        if op is None or not all(self._same(name, centred, axes) for name in op.inputs[:1]):
            return False
        by_power = op.kind is OpKind.POW and self._scalar(op.inputs[1]) == 2.0
        return by_power or (op.kind is OpKind.MUL and self._same(op.inputs[1], centred, axes))

    def _same(self, first: str, second: str, axes: tuple[int, ...]) -> bool:
        """Tell whether two values are one, or both the same source less its mean (computed twice)."""
        source = self._centred(first, axes)
        return first == second or (source is not None and source == self._centred(second, axes))
