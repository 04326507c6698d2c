"""Give sums and products operands of one shape: kernels take an element for each element."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.attrs import GatherAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind

_KINDS = frozenset({OpKind.ADD, OpKind.SUB, OpKind.MUL})


def repeat_operands(graph: Graph) -> Graph:
    """Rewrite x * y with a row or a column y for all of a matrix x as x * gather(y), which repeats it.

    A constant that is one column for all is repeated at once; one that is one row stays a row, and a single
    number is left to others. The same for sums and differences. Exact: no arithmetic.
    """
    builder = GraphBuilder.like(graph)
    repeated: dict[tuple[str, tuple[int, ...]], str] = {}
    for op in graph.ops:
        shape = graph.types[op.output].shape
        if op.kind not in _KINDS or len(shape) != 2:
            builder.keep(op)
            continue
        inputs = []
        for name in op.inputs:
            constant = graph.constants.get(name)
            if constant is not None and constant.shape == (shape[0], 1) != shape:
                name = builder.constant(np.ascontiguousarray(np.broadcast_to(constant, shape)), name)
            elif constant is None and graph.types[name].shape != shape:
                if (name, shape) not in repeated:
                    repeated[name, shape] = _repeated(builder, name, (shape[0], shape[1]), op.loc)
                name = repeated[name, shape]
            inputs.append(name)
        builder.keep(replace(op, inputs=tuple(inputs)))
    return builder.graph()


def _repeated(builder: GraphBuilder, name: str, shape: tuple[int, int], loc: str) -> str:
    """Return a row, a column or a single element as a matrix of this shape."""
    for axis in (1, 0):
        if builder.type_of(name).shape[axis] != shape[axis]:
            attrs = GatherAttrs(axis, (0,) * shape[axis], (shape[axis],))
            name = builder.op(OpKind.GATHER, [name], attrs, loc)
    return name
