"""A pass: move gain and offset of every LayerNorm into the linear ops that read it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind, uses


def fold_gain(graph: Graph) -> Graph:
    """Return an equal graph in which a LayerNorm read by linear ops only has gamma 1 and beta 0.

    W (gamma n + beta) + b is (W gamma) n + (W beta + b), with n the normalised row. Rotations of the residual
    stream need that form, as in Ashkboos et al., "SliceGPT", ICLR 2024, section 3.2.
    """
    readers = uses(graph)
    constants, types, operands = dict(graph.constants), dict(graph.types), dict[str, tuple[str, ...]]()

    def rewire(op: Op, *arrays: np.ndarray) -> None:
        """Give an op new constants behind its first operand."""
        names = tuple(f"{name}.{op.output}.folded" for name in op.inputs[1:])
        for name, old, array in zip(names, op.inputs[1:], arrays, strict=True):
            constants[name], types[name] = array.astype(np.float32), graph.types[old]
        operands[op.output] = (op.inputs[0], *names)

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

    ops = tuple(replace(op, inputs=operands.get(op.output, op.inputs)) for op in graph.ops)
    used = {name for op in ops for name in op.inputs}
    dead = {name for name in graph.constants if name not in used}
    return replace(
        graph,
        ops=ops,
        types={name: kind for name, kind in types.items() if name not in dead},
        constants={name: array for name, array in constants.items() if name not in dead},
    )
