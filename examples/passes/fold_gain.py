"""A pass: move gain and offset of every LayerNorm into the linear ops that read it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, uses


def fold_gain(graph: Graph) -> Graph:
    """Return an equal graph in which a LayerNorm read by linear ops only has gamma 1 and beta 0.

    W (gamma n + beta) + b is (W gamma) n + (W beta + b), with n the normalised row. Rotations of the residual
    stream need that form, as in Ashkboos et al., "SliceGPT", ICLR 2024, section 3.2.
    """
    readers, builder = uses(graph), GraphBuilder.like(graph)
    operands: dict[str, tuple[str, ...]] = {}

    def rewire(op: Op, *arrays: np.ndarray) -> None:
        """Give an op new constants behind its first operand."""
        new = zip(op.inputs[1:], arrays, strict=True)
        constants = [
            builder.constant(array.astype(np.float32), f"{name}.{op.output}.folded") for name, array in new
        ]
        operands[op.output] = (op.inputs[0], *constants)

    for norm in graph.ops:
        linears = readers.get(norm.output, ())
        if norm.kind is not OpKind.LAYERNORM or norm.output in graph.outputs:
            continue
        if not linears or any(op.kind is not OpKind.LINEAR for op in linears):
            continue
        gamma, beta = (graph.constants[name].astype(np.float64) for name in norm.inputs[1:])
        for op in linears:
            weight, bias = (graph.constants[name].astype(np.float64) for name in op.inputs[1:])
            rewire(op, weight * gamma, bias + weight @ beta)
        rewire(norm, np.ones_like(gamma), np.zeros_like(beta))

    for op in graph.ops:
        builder.keep(replace(op, inputs=operands.get(op.output, op.inputs)))
    return builder.graph()
