"""Give an output that is a view of rows a value of its own behind them."""

from __future__ import annotations

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind, follow, producers
from tmc.ir.ops import VIEWS

_VIEWS = VIEWS | {OpKind.TRANSPOSE}


def separate_outputs(graph: Graph) -> Graph:
    """Rewrite an output y = f(x) to y = reshape(f(x)) where f(x) may be stored in another shape than y.

    The integer form of f keeps the rows of the linear op before it; where y has those rows too, and no view
    lies between, it stays as it is. Exact: a reshape to the same shape.
    """
    made, builder = producers(graph), GraphBuilder.like(graph)

    def before(name: str) -> str | None:
        if name not in made or made[name].kind is OpKind.LINEAR:
            return None
        return next((operand for operand in made[name].inputs if operand not in graph.constants), None)

    for op in graph.ops:
        way = follow(op.output, before)
        views = any(name in made and made[name].kind in _VIEWS for name in way)
        rows = len(graph.types[op.output].shape) == 2 and not views
        if op.output not in graph.outputs or op.kind in _VIEWS or op.kind is OpKind.LINEAR or rows:
            builder.keep(op)
        else:
            value = builder.op(op.kind, op.inputs, op.attrs, op.loc)
            builder.reshape(value, graph.types[op.output].shape, op.loc, op.output)
    return builder.graph()
