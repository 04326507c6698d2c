"""Read what stands between the product of Q and K and the softmax: factors, and what is added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array
from tmc.passes.canonical.score_mask import ScoreMask, read_mask

# A key of which e to the score is 0 in float32 and in any table, whatever the score was before.
NEVER = -1e4
# A bias with which no key counts.
MASKED = -1e9


@dataclass(frozen=True, slots=True)
class ScoreTerms:
    """softmax(scale * head_scale * q k^T + bias + mask), as far as it was read upwards from the softmax.

    bias [H, M, N] float64, None for none; head_scale [H], None where all are 1. mask: of an input.
    """

    scale: float = 1.0
    head_scale: Array | None = None
    bias: Array | None = None
    mask: ScoreMask | None = None

    def factor(self, heads: int) -> Array:
        """Return the factor of every head, [H, 1, 1]."""
        each = np.ones(heads) if self.head_scale is None else self.head_scale
        return (self.scale * each).reshape(heads, 1, 1)


def read_step(
    op: Op, graph: Graph, terms: ScoreTerms, made: Mapping[str, Op]
) -> tuple[str, ScoreTerms] | str:
    """Return the operand that op makes scores of, and the terms with what op does; or the reason why not."""
    shape = graph.types[op.output].shape
    if op.kind is OpKind.RESHAPE:
        same = graph.types[op.inputs[0]].shape[-2:] == shape[-2:]
        return (op.inputs[0], terms) if same else f"the scores are reshaped, {op.loc}"
    pairs = [(op.inputs[0], op.inputs[-1])]
    if op.kind in (OpKind.MUL, OpKind.ADD):
        pairs.append((op.inputs[1], op.inputs[0]))
    for value, other in pairs:
        constant = graph.constants.get(other)
        if graph.types[value].shape != shape:
            continue
        if constant is None:
            masked = _masked(op, other, graph, terms, made)
            if masked is not None:
                return value, masked
            continue
        full = np.broadcast_to(constant, shape).reshape(prod(shape[:-2]), *shape[-2:]).astype(np.float64)
        changed = _changed(op.kind, full, terms)
        if changed is not None:
            return value, changed
    return f"the scores go through {op.kind.value}, {op.loc}"


def _masked(op: Op, other: str, graph: Graph, terms: ScoreTerms, made: Mapping[str, Op]) -> ScoreTerms | None:
    """Return the terms with the mask of an input added, None where op adds none, or another one."""
    keys = graph.types[op.output].shape[-1]
    if op.kind is not OpKind.ADD or terms.mask is not None or terms.head_scale is not None:
        return None
    mask = read_mask(other, keys, graph, made)
    return None if mask is None else replace(terms, mask=mask.times(terms.scale))


def _changed(kind: OpKind, constant: Array, terms: ScoreTerms) -> ScoreTerms | None:
    """Return the terms with an op between the scores and a constant [H, M, N], None for no such op."""
    if kind in (OpKind.ADD, OpKind.SUB):
        added = terms.factor(len(constant)) * (constant if kind is OpKind.ADD else -constant)
        # The same number added to all scores of a row cancels in the softmax.
        if (added == added[..., :1]).all():
            return terms
        bias = added if terms.bias is None else terms.bias + added
        return replace(terms, bias=bias)
    if kind not in (OpKind.MUL, OpKind.DIV):
        return None
    used = ~_dropped(constant, terms.bias)
    kept = [head[mask] for head, mask in zip(constant, used, strict=True)]
    if not all(len(head) and (head == head[0]).all() and head[0] != 0 for head in kept):
        return None
    factors = np.array([head[0] for head in kept])
    if kind is OpKind.DIV:
        factors = 1 / factors
    if (factors == factors[0]).all():
        return replace(terms, scale=terms.scale * float(factors[0]))
    before = np.ones(len(factors)) if terms.head_scale is None else terms.head_scale
    return replace(terms, head_scale=before * factors)


def _dropped(factor: Array, bias: Array | None) -> Array:
    """Tell which scores do not count: they are multiplied by 0, and so is e to the sum with the bias."""
    if bias is None:
        return np.zeros(factor.shape, dtype=bool)
    return np.asarray((factor == 0) & (bias - bias.max(axis=-1, keepdims=True) <= NEVER))


def smallest_bias(bias: Array) -> Array:
    """Return a bias [H or 1, M or 1, N] that stands for [H, M, N], the largest of each row 0.

    A number for all keys of a row cancels in the softmax.
    """
    relative = (bias - bias.max(axis=-1, keepdims=True)).astype(np.float32)
    for axis in (0, 1):
        first = np.take(relative, [0], axis=axis)
        if (relative == first).all():
            relative = first
    return np.ascontiguousarray(relative)
