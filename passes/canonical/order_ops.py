"""Put the ops into one order that depends on the network alone."""

from __future__ import annotations

from dataclasses import replace

from tmc.ir.graph import Graph, Op, OpKind, producers

_COMMUTATIVE = frozenset({OpKind.ADD, OpKind.MUL})


def order_ops(graph: Graph) -> Graph:
    """Order ops depth first from the outputs, operands from left to right.

    The operands of a sum or product are ordered too: a computed one before a constant, then the one nearer to
    the input first, so that x + f(x) and f(x) + x are the same text. Exact.
    """
    made = producers(graph)
    depth: dict[str, int] = {}
    for op in graph.ops:
        depth[op.output] = 1 + max((depth.get(name, 0) for name in op.inputs), default=0)
    ops: list[Op] = []
    done: set[str] = set()
    # A value is on the stack twice: to have its operands done, then to be done itself.
    stack = [(name, False) for name in reversed(graph.outputs)]
    while stack:
        value, operands_done = stack.pop()
        if value in done or value not in made:
            continue
        op = made[value]
        if op.kind in _COMMUTATIVE:
            order = sorted(op.inputs, key=lambda name: (name in graph.constants, depth.get(name, 0)))
            op = replace(op, inputs=tuple(order))
        if operands_done:
            done.add(value)
            ops.append(op)
        else:
            stack.append((value, True))
            stack += [(name, False) for name in reversed(op.inputs)]
    return replace(graph, ops=tuple(ops))
