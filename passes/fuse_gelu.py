"""Recognise GELU written as its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir import float_semantics
from tmc.ir.attrs import GeluAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import OPS
from tmc.ir.types import Array
from tmc.passes.declined import Declined

_POINTWISE = frozenset(
    {
        OpKind.ADD,
        OpKind.SUB,
        OpKind.MUL,
        OpKind.DIV,
        OpKind.NEG,
        OpKind.POW,
        OpKind.SQRT,
        OpKind.ERF,
        OpKind.TANH,
    }
)
_PROBES = np.linspace(-6.0, 6.0, 1201).astype(np.float32)
# The two GELUs are 5e-4 apart; float32 rounding in any order of evaluation stays far below this.
_TOLERANCE = 1e-5
_FORMS = (
    (float_semantics.gelu(_PROBES, "none"), GeluAttrs("none")),
    (float_semantics.gelu(_PROBES, "tanh"), GeluAttrs("tanh")),
)


@dataclass(frozen=True, slots=True)
class _Function:
    """A value as a function of one other, element by element: what it gives for the probes."""

    source: str
    samples: Array


def fuse_gelu(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Replace whatever computes x * Phi(x) or its tanh approximation element by element.

    Every value made from one other value and scalar constants is sampled on [-6, 6]. The first one whose
    samples are those of a GELU becomes gelu(source): no list of ways to write it is needed.
    Equal to the parts up to float32 rounding.
    """
    builder = GraphBuilder.like(graph)
    functions: dict[str, _Function] = {}
    for op in graph.ops:
        function = _sampled(op, graph, functions)
        attrs = None if function is None else _form(function.samples)
        if function is None or attrs is None:
            builder.keep(op)
            if function is not None:
                functions[op.output] = function
        else:
            builder.op(OpKind.GELU, [function.source], attrs, op.loc, op.output)
    fused = builder.graph()
    if declined is not None:
        reason = "no product x * Phi(x) of one x around it"
        odd = (op for op in fused.ops if op.kind in (OpKind.ERF, OpKind.TANH))
        declined += [Declined(op.loc, op.kind.value, reason) for op in odd]
    return fused


def _sampled(op: Op, graph: Graph, functions: dict[str, _Function]) -> _Function | None:
    """Return the function that op computes, None if it is not one of a single source."""
    if op.kind not in _POINTWISE:
        return None
    arguments: list[Array] = []
    sources: set[str] = set()
    for name in op.inputs:
        constant = graph.constants.get(name)
        if constant is None:
            function = functions.get(name, _Function(name, _PROBES))
            sources.add(function.source)
            arguments.append(function.samples)
        elif constant.size == 1:
            arguments.append(constant.reshape(()))
        else:
            return None
    if len(sources) != 1 or graph.types[op.output].shape != graph.types[min(sources)].shape:
        return None
    with np.errstate(all="ignore"):
        return _Function(min(sources), np.asarray(OPS[op.kind].evaluate(arguments, op.attrs)))


def _form(samples: Array) -> GeluAttrs | None:
    for expected, attrs in _FORMS:
        if bool((np.abs(samples - expected) <= _TOLERANCE).all()):
            return attrs
    return None
