"""Write gathers as the cheapest moves of rows, columns or whole matrices."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import GatherAttrs, ReshapeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind, follow, producers, uses
from tmc.passes.views.emit_moves import emit_moves


def lower_gather(graph: Graph) -> Graph:
    """Rewrite every gather as what `emit_moves` makes of the elements that it takes.

    1. Runs of adjacent elements in another order become permute_rows of the value seen as rows of that run:
       tokens channel by channel become tokens sample by sample.
    2. Single elements in another order become a transpose of the value seen as a matrix.
    3. Everything else becomes gathers of rows or of columns of matrices.
    Views before and after may be any reshapes, and are taken in. Exact: no arithmetic.
    """
    builder, made, readers = GraphBuilder.like(graph), producers(graph), uses(graph)

    def before(name: str) -> str | None:
        return made[name].inputs[0] if name in made and made[name].kind is OpKind.RESHAPE else None

    moved: dict[str, str] = {}
    for op in graph.ops:
        if isinstance(op.attrs, GatherAttrs):
            source, given = follow(op.inputs[0], before)[-1], graph.types[op.inputs[0]]
            places = np.arange(given.elements, dtype=np.int64).reshape(given.shape)
            index = np.take(places, np.array(op.attrs.indices, dtype=np.int64), axis=op.attrs.axis)
            shapes = [
                reader.attrs.shape
                for reader in readers.get(op.output, ())
                if isinstance(reader.attrs, ReshapeAttrs)
            ]
            shape = graph.types[op.output].shape
            moved[op.output] = emit_moves(builder, source, index, (*shapes, shape)[0], op.loc)
            builder.forward(op.output, builder.reshape(moved[op.output], shape, op.loc))
        elif isinstance(op.attrs, ReshapeAttrs) and op.inputs[0] in moved:
            builder.forward(op.output, builder.reshape(moved[op.inputs[0]], op.attrs.shape, op.loc))
        else:
            builder.keep(op)
    return builder.graph()
