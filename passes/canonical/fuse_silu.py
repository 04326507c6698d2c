"""Recognise SiLU written as its parts."""

from __future__ import annotations

from tmc.ir import float_semantics
from tmc.ir.attrs import Attrs
from tmc.ir.graph import Graph, OpKind, producers
from tmc.passes.pipeline import Declined
from tmc.passes.views.element_function import PROBES, Form, replace_functions

_FORMS = (Form(PROBES * float_semantics.sigmoid(PROBES), OpKind.SILU, Attrs()),)


def fuse_silu(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Replace whatever computes x * sigmoid(x) element by element, in any order and any number of steps.

    Declined: a product of a sigmoid with something else, such as sigmoid(1.702 x).
    Equal to the parts up to float32 rounding.
    """
    fused = replace_functions(graph, _FORMS)
    if declined is not None:
        made = producers(fused)
        for op in fused.ops:
            gated = any(name in made and made[name].kind is OpKind.SIGMOID for name in op.inputs)
            if op.kind is OpKind.MUL and gated:
                reason = "a product with a sigmoid, but not x * sigmoid(x) of one x"
                declined.append(Declined(op.loc, op.kind.value, reason))
    return fused
