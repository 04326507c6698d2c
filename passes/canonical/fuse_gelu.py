"""Recognise GELU written as its parts."""

from __future__ import annotations

from tmc.ir import float_semantics
from tmc.ir.attrs import GeluAttrs
from tmc.ir.graph import Graph, OpKind, uses
from tmc.passes.pipeline import Declined
from tmc.passes.views.element_function import PROBES, Form, replace_functions

_FORMS = (
    Form(float_semantics.gelu(PROBES, "none"), OpKind.GELU, GeluAttrs("none")),
    Form(float_semantics.gelu(PROBES, "tanh"), OpKind.GELU, GeluAttrs("tanh")),
)


def fuse_gelu(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Replace whatever computes x * Phi(x) or its tanh approximation element by element.

    Every value made from one other value and scalar constants is sampled: no list of ways to write it is
    needed. Equal to the parts up to float32 rounding.
    """
    fused = replace_functions(graph, _FORMS)
    if declined is not None:
        readers = uses(fused)
        for op in fused.ops:
            # A tanh by itself is an activation of its own; one that goes into a sum was meant for a GELU.
            summed = any(reader.kind is OpKind.ADD for reader in readers.get(op.output, ()))
            if op.kind is OpKind.ERF or (op.kind is OpKind.TANH and summed):
                declined.append(Declined(op.loc, op.kind.value, "no product x * Phi(x) of one x around it"))
    return fused
