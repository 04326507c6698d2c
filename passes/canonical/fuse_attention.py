"""Recognise softmax attention written as matrix products."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isclose, prod

import numpy as np

from tmc.ir.attrs import AttentionAttrs, Attrs, AxisAttrs, GatherAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.types import Array
from tmc.passes.canonical.attention_groups import Groups, read_groups, token_places
from tmc.passes.canonical.score_terms import ScoreTerms, read_step, smallest_bias
from tmc.passes.pipeline import Declined
from tmc.passes.views.element_map import Tracer

_SNAP = 1e-6


@dataclass(frozen=True, slots=True)
class _Match:
    """q [.., M, d], k^T [.., d, N] and v [.., N, d], and what is done to the scores."""

    q: str
    k_transposed: str
    v: str
    terms: ScoreTerms


def fuse_attention(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Rewrite softmax(scale * q k^T + bias) v over the heads of leading axes to `attention`.

    Factors on the scores go into the scale, those that differ by head to q; factors on q or k stay where
    they are, for later passes. Constants added to the scores become the bias, less what a row has in common.
    Groups of tokens that see each other alone (batches, windows, axes of a grid) become one attention over
    all tokens with a mask between groups.
    The operands become views [tokens, heads * d] of q, k^T and v, and the result a view of the attention.
    A mask [.., N] of keys that is an input, or that times a number plus a number, is an operand.
    Declined: other masks that are computed, another softmax axis, heads of q, k and v that differ.
    Equal up to the float32 rounding of scale and bias.
    """
    builder = GraphBuilder.like(graph)
    made, tracer = producers(graph), Tracer(graph)
    for op in graph.ops:
        if op.kind is OpKind.MATMUL and _skip_reshapes(op.inputs[0], graph, made, OpKind.SOFTMAX) is not None:
            match = _match(op, graph, made)
            reason = match if isinstance(match, str) else _left_alone(match, graph, tracer)
            if isinstance(match, _Match) and reason is None:
                _emit(builder, match, op, tracer, graph)
                continue
            if declined is not None:
                declined.append(Declined(op.loc, "attention", str(reason)))
        builder.keep(op)
    return builder.graph()


def snapped_scale(scale: float, width: int) -> float:
    """Return 1 / sqrt(width) if the scale is within 1e-6 of it, else the scale.

    Exporters multiply twice by a rounded fourth root, or once by a rounded square root: all mean this.
    """
    exact = width**-0.5
    return float(exact) if isclose(scale, exact, rel_tol=_SNAP) else scale


def _skip_reshapes(value: str, graph: Graph, made: dict[str, Op], kind: OpKind) -> Op | None:
    """Return the op of this kind behind reshapes that keep the last two axes, if there is one."""
    op = made.get(value)
    while op is not None and op.kind is OpKind.RESHAPE:
        if graph.types[op.inputs[0]].shape[-2:] != graph.types[op.output].shape[-2:]:
            return None
        op = made.get(op.inputs[0])
    return op if op is not None and op.kind is kind else None


def _match(op: Op, graph: Graph, made: dict[str, Op]) -> _Match | str:
    """Match upwards from the product with v; return the reason if it is no attention."""
    softmax = _skip_reshapes(op.inputs[0], graph, made, OpKind.SOFTMAX)
    assert softmax is not None and isinstance(softmax.attrs, AxisAttrs), "the caller looked"
    if softmax.attrs.axis != len(graph.types[softmax.output].shape) - 1:
        return "the softmax is not over the last axis"
    terms, value = ScoreTerms(), softmax.inputs[0]
    while (product := _skip_reshapes(value, graph, made, OpKind.MATMUL)) is None:
        below = made.get(value)
        if below is None:
            return "the scores are no matrix product"
        step = read_step(below, graph, terms, made)
        if isinstance(step, str):
            return step
        value, terms = step
    return _Match(product.inputs[0], product.inputs[1], op.inputs[1], terms)


def _left_alone(match: _Match, graph: Graph, tracer: Tracer) -> str | None:
    """Return why a match is no attention of ours."""
    if match.terms.mask is not None:
        if match.terms.bias is not None:
            return "the scores have a constant bias beside the mask of an input"
        if read_groups(graph, tracer, match.q, match.v).groups > 1:
            return "the mask of an input is for several groups of tokens"
    return _shapes_differ(match, graph)


def _shapes_differ(match: _Match, graph: Graph) -> str | None:
    q, k, v = (graph.types[name].shape for name in (match.q, match.k_transposed, match.v))
    heads = {prod(shape[:-2]) for shape in (q, k, v)}
    if len(heads) > 1:
        return f"q {q}, k^T {k} and v {v} have different numbers of heads"
    return None if v[-1] == q[-1] else f"heads of v are {v[-1]} wide, those of q {q[-1]}"


def _emit(builder: GraphBuilder, match: _Match, op: Op, tracer: Tracer, graph: Graph) -> None:
    *leading, rows, width = builder.type_of(match.q).shape
    found = read_groups(graph, tracer, match.q, match.v)
    queries = token_places(graph, tracer, match.q, found)
    keys = token_places(graph, tracer, match.v, found)
    query, bias = match.q, match.terms.bias
    if match.terms.head_scale is not None:
        factors = match.terms.head_scale.astype(np.float32).reshape(*leading, 1, 1)
        name = builder.constant(factors, f"{op.output}.head_scale")
        query = builder.op(OpKind.MUL, [query, name], Attrs(), op.loc)
    operands = [
        _token_major(builder, query, found, queries, op.loc),
        _token_major(builder, match.k_transposed, found, keys, op.loc, transposed=True),
        _token_major(builder, match.v, found, keys, op.loc),
    ]
    if found.groups > 1:
        bias = found.bias(bias, queries, keys)
    if bias is not None:
        operands.append(builder.constant(smallest_bias(bias), f"{op.output}.bias"))
    attrs, mask = AttentionAttrs(found.heads, snapped_scale(match.terms.scale, width)), match.terms.mask
    if mask is not None:
        operands.append(builder.reshape(mask.value, (1, builder.type_of(operands[1]).shape[0]), op.loc))
        attrs = replace(attrs, mask_factor=mask.factor, mask_offset=mask.offset)
    result = builder.op(OpKind.ATTENTION, operands, attrs, op.loc)
    if found.groups > 1:
        result = _rows_at(builder, result, queries, op.loc)
    result = builder.reshape(result, (found.groups, rows, found.heads, width), op.loc)
    attrs_back = TransposeAttrs((0, 2, 1, 3) if found.groups_first else (2, 0, 1, 3))
    result = builder.op(OpKind.TRANSPOSE, [result], attrs_back, op.loc)
    builder.reshape(result, (*leading, rows, width), op.loc, op.output)


def _token_major(
    builder: GraphBuilder, value: str, found: Groups, places: Array, loc: str, transposed: bool = False
) -> str:
    """Return a value [.., M, d], or [.., d, M], as [G M, H d] with each token at its place."""
    cells = (found.groups, found.heads) if found.groups_first else (found.heads, found.groups)
    split = builder.reshape(value, (*cells, *builder.type_of(value).shape[-2:]), loc)
    group, head = (0, 1) if found.groups_first else (1, 0)
    token, column = (3, 2) if transposed else (2, 3)
    turned = builder.op(OpKind.TRANSPOSE, [split], TransposeAttrs((group, token, head, column)), loc)
    _, tokens, _, width = builder.type_of(turned).shape
    matrix = builder.reshape(turned, (found.groups * tokens, found.heads * width), loc)
    return matrix if found.groups == 1 else _rows_at(builder, matrix, np.argsort(places, axis=None), loc)


def _rows_at(builder: GraphBuilder, matrix: str, rows: Array, loc: str) -> str:
    attrs = GatherAttrs(0, tuple(rows.reshape(-1).tolist()), (rows.size,))
    return builder.op(OpKind.GATHER, [matrix], attrs, loc)
