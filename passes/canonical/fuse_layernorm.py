"""Recognise LayerNorm and RMSNorm written as their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import LayerNormAttrs, ReduceAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.types import Array
from tmc.passes.pipeline import Declined

_NOT_A_NORM = (
    "no (x - mean) / sqrt(mean((x - mean)^2) + eps), or x / sqrt(mean(x^2) + eps), "
    "over the last axis around it"
)


@dataclass(frozen=True, slots=True)
class _Norm:
    """A LayerNorm with constant gamma and beta."""

    x: str
    attrs: LayerNormAttrs
    gamma: Array
    beta: Array


def fuse_layernorm(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Fuse normalisation over the last axis, then the factors and terms per column that follow it.

    1. c * (mean(c^2) + eps)^-1/2 with c = x - mean(x), written with division, square root, reciprocal or
       power, becomes layernorm(x, 1, 0); with c = x, its variant about zero: RMSNorm.
    2. layernorm(x, g, b) * w, one reader: layernorm(x, g * w, b * w). Exact for g = 1, b = 0.
    3. layernorm(x, g, b) + w, one reader: layernorm(x, g, b + w). Exact for b = 0.
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
        gamma = builder.constant(norm.gamma, f"{op.output}.gamma")
        beta = builder.constant(norm.beta, f"{op.output}.beta")
        builder.op(OpKind.LAYERNORM, [norm.x, gamma, beta], norm.attrs, op.loc, op.output)
    fused = builder.graph()
    if declined is not None:
        declined += [Declined(op.loc, "sqrt", _NOT_A_NORM) for op in fused.ops if op.kind is OpKind.SQRT]
    return fused


def _existing(op: Op, graph: Graph) -> _Norm | None:
    if not isinstance(op.attrs, LayerNormAttrs):
        return None
    gamma, beta = (graph.constants.get(name) for name in op.inputs[1:])
    return None if gamma is None or beta is None else _Norm(op.inputs[0], op.attrs, gamma, beta)


def _extended(op: Op, graph: Graph, norms: Mapping[str, _Norm], readers: Mapping[str, int]) -> _Norm | None:
    """Return the norm that includes op, if op is the product or sum of a norm and a constant per column."""
    if op.kind not in (OpKind.MUL, OpKind.ADD):
        return None
    for name, other in (op.inputs, op.inputs[::-1]):
        norm, factor = norms.get(name), graph.constants.get(other)
        if norm is None or factor is None or readers[name] > 1 or name in graph.outputs:
            continue
        width = graph.types[name].shape[-1]
        per_column = factor.size == 1 or factor.shape[-1] == factor.size == width
        if graph.types[op.output] != graph.types[name] or not per_column:
            continue
        row = np.broadcast_to(factor.reshape(-1), (width,))
        if op.kind is OpKind.ADD:
            return _Norm(norm.x, norm.attrs, norm.gamma, norm.beta + row)
        # Adding 0 turns -0 into 0, so that all ways to write a norm give the same bits.
        return _Norm(norm.x, norm.attrs, norm.gamma * row, norm.beta * row + np.float32(0))
    return None


class _Parts:
    """Match the parts of a normalisation upwards from its last op."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._producers = producers(graph)

    def normalisation(self, op: Op) -> _Norm | None:
        """Return layernorm(x, 1, 0) if op is c * (mean(c^2) + eps)^-1/2; c is x - mean(x), or x."""
        if op.kind not in (OpKind.MUL, OpKind.DIV):
            return None
        sign = 1.0 if op.kind is OpKind.MUL else -1.0
        pairs = (op.inputs, op.inputs[::-1]) if op.kind is OpKind.MUL else (op.inputs,)
        for centred, divisor in pairs:
            inner, exponent = self._power(divisor)
            epsilon = self._variance(inner, centred)
            if epsilon is None or sign * exponent != -0.5:
                continue
            x = self._centred(centred)
            attrs = LayerNormAttrs(epsilon, "zero" if x is None else None)
            x = centred if x is None else x
            width = self._graph.types[x].shape[-1:]
            ones, zeros = np.ones(width, dtype=np.float32), np.zeros(width, dtype=np.float32)
            return _Norm(x, attrs, ones, zeros)
        return None

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

    def _mean_of(self, value: str) -> str | None:
        """Return v if value is its mean over the last axis."""
        op = self._operation(value, OpKind.REDUCE_MEAN)
        if op is None or not isinstance(op.attrs, ReduceAttrs):
            return None
        last = len(self._graph.types[op.inputs[0]].shape) - 1
        return op.inputs[0] if op.attrs.axes == (last,) and op.attrs.keepdims else None

    def _centred(self, value: str) -> str | None:
        """Return x if value is x - mean(x)."""
        op = self._operation(value, OpKind.SUB)
        return op.inputs[0] if op is not None and self._mean_of(op.inputs[1]) == op.inputs[0] else None

    def _variance(self, value: str, centred: str) -> float | None:
        """Return eps if value is mean(centred^2) + eps."""
        op = self._operation(value, OpKind.ADD)
        if op is None:
            return None
        for mean, constant in (op.inputs, op.inputs[::-1]):
            epsilon, square = self._scalar(constant), self._mean_of(mean)
            if epsilon is not None and square is not None and self._is_square(square, centred):
                return epsilon
        return None

    def _is_square(self, value: str, centred: str) -> bool:
        op = self._producers.get(value)
        if op is None or not all(self._same(name, centred) for name in op.inputs[:1]):
            return False
        by_power = op.kind is OpKind.POW and self._scalar(op.inputs[1]) == 2.0
        return by_power or (op.kind is OpKind.MUL and self._same(op.inputs[1], centred))

    def _same(self, first: str, second: str) -> bool:
        """Tell whether two values are one, or both the same source less its mean (computed twice)."""
        return first == second or (
            self._centred(first) is not None and self._centred(first) == self._centred(second)
        )
