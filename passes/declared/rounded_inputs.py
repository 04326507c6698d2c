"""Which inputs a quantised model rounds before anything else reads them: their codes are all it sees."""

from __future__ import annotations

from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.ir.graph import Graph, OpKind, uses, values_through
from tmc.ir.types import Quant

_FULL_SIZE = frozenset({OpKind.RESHAPE, OpKind.TRANSPOSE})


def rounded_inputs(graph: Graph) -> dict[str, Quant]:
    """Return scale and zero point of every input that all its readers round to the same int8 codes."""
    readers = uses(graph)
    found: dict[str, Quant] = {}
    for name in graph.inputs:
        views = values_through(readers, name, _FULL_SIZE)
        ops = [op for view in views for op in readers.get(view, ()) if op.kind not in _FULL_SIZE]
        roundings = {op.attrs for op in ops}
        if len(roundings) == 1 and not set(views) & set(graph.outputs):
            (attrs,) = roundings
            if isinstance(attrs, FakeQuantiseAttrs) and not attrs.wide:
                found[name] = Quant((attrs.scale,), attrs.zero_point)
    return found
