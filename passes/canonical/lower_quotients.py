"""Divide by computed values as the target can: multiply by what is 1 over them."""

from __future__ import annotations

from tmc.ir.attrs import Attrs
from tmc.ir.build import GraphBuilder
from tmc.ir.function import FunctionAttrs, X
from tmc.ir.graph import Graph, OpKind


def lower_quotients(graph: Graph) -> Graph:
    """Rewrite x / y of computed x and y as x * f(y), with the function f of one element that is 1 / y.

    Exact but for one rounding of float more.
    """
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        if op.kind is OpKind.DIV and not graph.constants.keys() & set(op.inputs):
            x, y = op.inputs
            inverse = builder.op(OpKind.FUNCTION, [y], FunctionAttrs((1.0, X, "div")), op.loc)
            builder.op(OpKind.MUL, [x, inverse], Attrs(), op.loc, op.output)
        else:
            builder.keep(op)
    return builder.graph()
