"""The interpreter: what a graph means, float or integer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tmc.ir.errors import VerifyError
from tmc.ir.graph import Graph
from tmc.ir.ops import OPS
from tmc.ir.types import Array

Observe = Callable[[str, Array], None]


def interpret(graph: Graph, inputs: Mapping[str, Array], observe: Observe | None = None) -> dict[str, Array]:
    """Return the graph's outputs by name for one set of inputs.

    `observe(value, array)` sees every computed value as it appears. Values are dropped after their last use.
    Raises: VerifyError if an input is missing, or has another shape or element type.
    """
    values: dict[str, Array] = dict(graph.constants)
    for name in graph.inputs:
        declared = graph.types[name]
        found = inputs.get(name)
        if found is None or found.shape != declared.shape or found.dtype != declared.dtype.numpy:
            what = "nothing" if found is None else f"{found.dtype} {found.shape}"
            allowed = f"{declared.dtype.numpy} {declared.shape}"
            raise VerifyError(f"input %{name}", f"found {what}, allowed {allowed}")
        values[name] = found
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op.inputs}
    for index, op in enumerate(graph.ops):
        operands = [values[name] for name in op.inputs]
        result = np.asarray(OPS[op.kind].evaluate(operands, op.attrs))
        values[op.output] = result
        if observe is not None:
            observe(op.output, result)
        for name in dict.fromkeys(op.inputs):
            if last_use[name] == index and name not in graph.outputs:
                del values[name]
    return {name: values[name] for name in graph.outputs}
