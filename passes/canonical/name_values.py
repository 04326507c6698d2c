"""Name all values after what they are, whatever the exporter called them."""

from __future__ import annotations

from collections import Counter

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op
from tmc.ir.ops import OPS


def name_values(graph: Graph) -> Graph:
    """Give computed values the names `<kind>_<i>` in execution order, and constants `<op output>.<operand>`.

    Graph inputs and outputs keep their names, and no value takes one of them, or what one of them begins
    with: so that names derived from values, of constants and in the back end, are free as well. A constant
    that several ops read becomes one constant for each of them, of the same array. Exact.
    """
    kept = {*graph.inputs, *graph.outputs}
    names = {name: name for name in kept}
    counts: Counter[str] = Counter()
    inputs = {name: graph.types[name] for name in graph.inputs}
    builder = GraphBuilder(graph.name, inputs, graph.outputs)
    for op in graph.ops:
        if op.output not in kept:
            names[op.output] = _next(op, counts, kept)
        operands = [
            builder.constant(graph.constants[name], f"{names[op.output]}.{_operand(op, position)}")
            if name in graph.constants
            else names[name]
            for position, name in enumerate(op.inputs)
        ]
        builder.op(op.kind, operands, op.attrs, op.loc, names[op.output])
    return builder.graph()


def _next(op: Op, counts: Counter[str], kept: set[str]) -> str:
    while True:
        name = f"{op.kind.value}_{counts[op.kind.value]}"
        counts[op.kind.value] += 1
        if not any(port == name or port.startswith(f"{name}.") for port in kept):
            return name


def _operand(op: Op, position: int) -> str:
    """Return the operand's name in the op table, without its mark; repeated operands are numbered."""
    operands = OPS[op.kind].operands
    last = operands[-1]
    if last.endswith("*") and position >= len(operands) - 1:
        return f"{last[:-1]}{position - len(operands) + 1}"
    return operands[position].rstrip("?")
