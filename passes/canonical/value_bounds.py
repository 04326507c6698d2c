"""Bounds of the values of a canonical float graph that hold for every input."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tmc.ir.attrs import LayerNormAttrs
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array

Bounds = tuple[float, float]
ANY: Bounds = (-np.inf, np.inf)
# The least values of x Phi(x) and of x sigmoid(x), rounded down.
LEAST_GELU, LEAST_SILU = -0.1701, -0.2785


def value_bounds(graph: Graph) -> dict[str, Bounds]:
    """Return the least and the largest number that each value can be; infinity where nothing limits it."""
    bounds: dict[str, Bounds] = dict.fromkeys(graph.inputs, ANY)
    for op in graph.ops:
        rule = _RULES.get(op.kind)
        bounds[op.output] = ANY if rule is None else rule(op, graph.constants, bounds)
    return bounds


Rule = Callable[[Op, Mapping[str, Array], Mapping[str, Bounds]], Bounds]


def _same(op: Op, constants: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Bounds:
    return bounds[op.inputs[0]]


def _attention(op: Op, constants: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Bounds:
    """Blend rows of V."""
    return bounds[op.inputs[2]]


def _add(op: Op, constants: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Bounds:
    one, two = (bounds[name] for name in op.inputs)
    return one[0] + two[0], one[1] + two[1]


def _clip(op: Op, constants: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Bounds:
    low, high = (constants[name] for name in op.inputs[1:])
    least, most = bounds[op.inputs[0]]
    return (
        min(max(least, float(low.min())), float(high.max())),
        max(min(most, float(high.max())), float(low.min())),
    )


def _linear(op: Op, constants: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Bounds:
    least, most = bounds[op.inputs[0]]
    weight, bias = (constants[name].astype(np.float64) for name in op.inputs[1:])
    positive, negative = np.maximum(weight, 0).sum(axis=1), np.minimum(weight, 0).sum(axis=1)
    if not np.isfinite(least) or not np.isfinite(most):
        return ANY
    ends = positive * least + negative * most, positive * most + negative * least
    return float((ends[0] + bias).min()), float((ends[1] + bias).max())


def _layernorm(op: Op, constants: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Bounds:
    """Bound a normalised row of C elements by sqrt(C - 1), or by sqrt(C) if it is not centred."""
    assert isinstance(op.attrs, LayerNormAttrs)
    gamma, beta = (constants[name].astype(np.float64) for name in op.inputs[1:])
    reach = np.abs(gamma) * np.sqrt(max(len(gamma) - (op.attrs.about is None), 0))
    return float((beta - reach).min()), float((beta + reach).max())


def _between(low: float, high: float | None) -> Rule:
    """Return the rule of a function with a least value, and a largest one or at most that of its operand."""

    def rule(op: Op, constants: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Bounds:
        return low, max(bounds[op.inputs[0]][1], 0.0) if high is None else high

    return rule


_RULES: Mapping[OpKind, Rule] = {
    **dict.fromkeys(
        (
            OpKind.RESHAPE,
            OpKind.PERMUTE_ROWS,
            OpKind.TRANSPOSE,
            OpKind.MEAN_ROWS,
            OpKind.MAX_ROWS,
            OpKind.INTERPOLATE_ROWS,
        ),
        _same,
    ),
    OpKind.ATTENTION: _attention,
    OpKind.ADD: _add,
    OpKind.CLIP: _clip,
    OpKind.LINEAR: _linear,
    OpKind.LAYERNORM: _layernorm,
    OpKind.SIGMOID: _between(0.0, 1.0),
    OpKind.TANH: _between(-1.0, 1.0),
    OpKind.RELU: _between(0.0, None),
    OpKind.GELU: _between(LEAST_GELU, None),
    OpKind.SILU: _between(LEAST_SILU, None),
}
