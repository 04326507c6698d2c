"""Name all values after what they are, whatever the exporter called them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tmc.ir.graph import Graph, Op
from tmc.ir.ops import OPS
from tmc.ir.types import Array, TensorType


def name_values(graph: Graph) -> Graph:
    """Give computed values the names `<kind>_<i>` in execution order, and constants `<op output>.<operand>`.

    Graph inputs and outputs keep their names. A constant that several ops read becomes one constant for each
    of them, of the same array. Exact.
    """
    kept = {*graph.inputs, *graph.outputs}
    names = {name: name for name in kept}
    counts: Counter[str] = Counter()
    types: dict[str, TensorType] = {name: graph.types[name] for name in graph.inputs}
    constants: dict[str, Array] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if op.output not in kept:
            names[op.output] = _next(op, counts, kept)
        inputs = []
        for position, name in enumerate(op.inputs):
            if name in graph.constants:
                new = f"{names[op.output]}.{_operand(op, position)}"
                constants[new], types[new] = graph.constants[name], graph.types[name]
            else:
                new = names[name]
            inputs.append(new)
        types[names[op.output]] = graph.types[op.output]
        ops.append(replace(op, inputs=tuple(inputs), output=names[op.output]))
    return Graph(graph.name, graph.inputs, graph.outputs, tuple(ops), types, constants)


def _next(op: Op, counts: Counter[str], kept: set[str]) -> str:
    while True:
        name = f"{op.kind.value}_{counts[op.kind.value]}"
        counts[op.kind.value] += 1
        if name not in kept:
            return name


def _operand(op: Op, position: int) -> str:
    """Return the operand's name in the op table, without its mark; repeated operands are numbered."""
    operands = OPS[op.kind].operands
    last = operands[-1]
    if last.endswith("*") and position >= len(operands) - 1:
        return f"{last[:-1]}{position - len(operands) + 1}"
    return operands[position].rstrip("?")
